package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/cgroups"
)

// OfProcess opens the cgroup that a process is in, whoever made it: to look at
// it, not to change it. Hierarchies in which that is the root are left out.
func OfProcess(pid int) (*Manager, error) {
	own, err := cgroups.ParseCgroupFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return nil, fmt.Errorf("finding the cgroup of process %d: %w", pid, cause(err))
	}
	s := Saved{Driver: Cgroupfs, Unified: hostVersion() == v2, Paths: map[string]string{}}
	for controller, inner := range own {
		controller = strings.TrimPrefix(controller, cgroups.CgroupNamePrefix)
		path := filepath.Join(mountpoint, controller, inner)
		if controller == "" && !s.Unified {
			path = filepath.Join(mountpoint, "unified", inner)
		}
		if _, err := os.Stat(path); err == nil && inner != "/" {
			s.Paths[controller] = path
		}
	}
	if len(s.Paths) == 0 {
		return nil, fmt.Errorf("finding the cgroup of process %d: it is in none but the root", pid)
	}
	return Open(s)
}
