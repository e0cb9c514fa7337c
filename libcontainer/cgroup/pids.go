package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// errRoot refuses to treat a whole hierarchy as one container's cgroup.
var errRoot = errors.New("it is the root of a hierarchy")

// Exists reports whether the cgroup exists in any hierarchy.
func (m *Manager) Exists() bool { return m.saved.exists() }

// Pids returns the processes in the cgroup and the cgroups below it, or none
// if there is no cgroup. Some may have ended, unless the cgroup is frozen.
func (m *Manager) Pids() ([]int, error) {
	if m.saved.Driver == Disabled {
		return nil, nil
	}
	return pidsBelow(m.saved.principal())
}

// pidsBelow returns the processes in the cgroup at path and below it, each
// once. A cgroup that is gone has none.
func pidsBelow(path string) ([]int, error) {
	if isRoot(path) {
		return nil, fmt.Errorf("reading the processes of %s: %w", path, errRoot)
	}
	pids, err := cgroups.GetAllPids(path)
	if err != nil && !gone(err) {
		return nil, fmt.Errorf("reading the processes of cgroup %s: %w", relative(path), cause(err))
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// isRoot reports whether path is the root of a hierarchy: on v2 only the root
// has no type, on v1 only the root has a release agent.
func isRoot(path string) bool {
	if _, err := os.Lstat(filepath.Join(path, "release_agent")); err == nil {
		return true
	}
	_, procs := os.Lstat(filepath.Join(path, "cgroup.controllers"))
	_, kind := os.Lstat(filepath.Join(path, "cgroup.type"))
	return procs == nil && kind != nil
}

// gone reports whether err says that a cgroup has been removed, before or
// while it was read.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV)
}

// cause strips the path from an error of the os package, where the message
// around it names the path already.
func cause(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// Of returns the cgroup of a process in each hierarchy, as /proc/PID/cgroup
// has it: by v1 controller, the empty name for v2.
func Of(pid int) (map[string]string, error) {
	paths, err := cgroups.ParseCgroupFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return nil, fmt.Errorf("finding the cgroup of process %d: %w", pid, cause(err))
	}
	return paths, nil
}
