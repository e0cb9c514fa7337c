package cgroup

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// reach narrows the paths of a rootless container without a place of its own
// to the hierarchies in which the caller may make a cgroup and put a process.
// It returns the caller's own cgroups in the others, where the container's
// processes stay.
func (s *Saved) reach() (map[string]string, error) {
	if !s.Rootless || s.Placed || s.Driver != Cgroupfs {
		return nil, nil
	}
	stays := map[string]string{}
	for name, path := range s.Paths {
		if !s.reachable(path) {
			stays[name] = nearest(filepath.Dir(path))
			delete(s.Paths, name)
		}
	}
	s.Parents = s.missingParents()
	if len(s.Paths) > 0 || !s.Unified {
		return stays, nil
	}
	own, err := cgroups.ParseCgroupFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("finding our own cgroup: %w", err)
	}
	stays[""] = filepath.Join(mountpoint, own[""])
	return stays, nil
}

// reachable reports whether the caller may make, or use, the cgroup at path.
func (s *Saved) reachable(path string) bool {
	if existing := nearest(path); existing != path {
		return mayWrite(existing) && s.mayMove(existing)
	}
	return mayWrite(path) && mayWrite(path+"/cgroup.procs") && s.mayMove(path)
}

// mayMove reports whether a process of ours may be moved to dir: the kernel
// wants the right to write cgroup.procs of what is above both, on v2 alone.
//
// Source: the kernel's cgroup-v2.rst, Delegation Containment.
func (s *Saved) mayMove(dir string) bool {
	if !s.Unified {
		return true
	}
	own, err := cgroups.ParseCgroupFile("/proc/self/cgroup")
	if err != nil {
		return false
	}
	for !isBelow(filepath.Join(mountpoint, own[""]), dir) {
		dir = filepath.Dir(dir)
	}
	return mayWrite(dir + "/cgroup.procs")
}

func isBelow(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}

// nearest is the deepest existing directory of a path.
func nearest(path string) string {
	for path != "/" && unix.Access(path, unix.F_OK) != nil {
		path = filepath.Dir(path)
	}
	return path
}

func mayWrite(path string) bool {
	return unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS) == nil
}

// denied is the backend of a rootless container that gets no cgroup at all.
type denied struct{ disabled }

func (denied) create() error    { return ErrRootless }
func (denied) attach(int) error { return ErrRootless }

// newDenied refuses limits, which nothing would enforce.
func newDenied(limits *cgroups.Resources) (*Manager, error) {
	if field := firstLimit(limits); field != "" {
		return nil, &DeniedError{"linux.resources." + field}
	}
	return &Manager{saved: Saved{Driver: Disabled, Rootless: true}, backend: denied{}}, nil
}
