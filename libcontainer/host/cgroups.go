package host

import (
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const cgroupRoot = "/sys/fs/cgroup"

// CgroupMode is which cgroups are mounted at /sys/fs/cgroup.
type CgroupMode int

// The modes.
const (
	// CgroupNone is none at all.
	CgroupNone CgroupMode = iota
	// CgroupV1 is a hierarchy for each controller.
	CgroupV1
	// CgroupHybrid is CgroupV1, and cgroup v2 at /sys/fs/cgroup/unified.
	CgroupHybrid
	// CgroupV2 is the unified hierarchy alone.
	CgroupV2
)

// String is "none", "v1", "hybrid" or "v2".
func (m CgroupMode) String() string {
	switch m {
	case CgroupV1:
		return "v1"
	case CgroupHybrid:
		return "hybrid"
	case CgroupV2:
		return "v2"
	}
	return "none"
}

// Cgroups returns which cgroups the machine has.
func Cgroups() CgroupMode { return cgroups() }

var cgroups = sync.OnceValue(func() CgroupMode {
	switch fsType(cgroupRoot) {
	case unix.CGROUP2_SUPER_MAGIC:
		return CgroupV2
	case unix.TMPFS_MAGIC:
		if fsType(cgroupRoot+"/unified") == unix.CGROUP2_SUPER_MAGIC {
			return CgroupHybrid
		}
		return CgroupV1
	}
	return CgroupNone
})

// Hierarchy is a mounted cgroup v1 hierarchy.
type Hierarchy struct {
	// Controllers are its names, "cpu" and "cpuacct", or "name=systemd".
	Controllers []string
	// Mountpoint is where it is mounted, and Root which of its cgroups is seen
	// there, "/" unless this process is in a container.
	Mountpoint, Root string
}

// CgroupV1Mounts returns the mounted cgroup v1 hierarchies, each once, in the
// order of their mounts. It is not to be changed.
func CgroupV1Mounts() ([]Hierarchy, error) { return v1Mounts() }

var v1Mounts = sync.OnceValues(func() ([]Hierarchy, error) {
	mounts, err := mounts("cgroup")
	return hierarchies(mounts), err
})

// hierarchies takes from mounts what has a controller or a name.
func hierarchies(mounts []mount) []Hierarchy {
	var all []Hierarchy
	seen := map[string]bool{}
	for _, m := range mounts {
		h := Hierarchy{Mountpoint: m.point, Root: m.root}
		for option := range strings.SplitSeq(m.options, ",") {
			if !isFlag(option) {
				h.Controllers = append(h.Controllers, option)
			}
		}
		if len(h.Controllers) > 0 && !seen[h.Controllers[0]] {
			seen[h.Controllers[0]] = true
			all = append(all, h)
		}
	}
	return all
}

// isFlag tells of an option of a cgroup v1 mount whether it is none of its
// controllers, nor its name. These are all that the kernel shows.
func isFlag(option string) bool {
	switch option {
	case "rw", "ro", "noprefix", "xattr", "cpuset_v2_mode", "favordynmods", "clone_children", "seclabel":
		return true
	}
	return strings.Contains(option, "=") && !strings.HasPrefix(option, "name=")
}

// fsType is the magic number of the file system at path, 0 where there is none.
func fsType(path string) int64 {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return 0
	}
	return int64(st.Type)
}
