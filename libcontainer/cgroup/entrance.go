package cgroup

import (
	"slices"
	"strings"

	"github.com/opencontainers/cgroups"
)

// An Entrance is a file of a v1 cgroup: a process that has one thread and
// writes "0" to it is in that cgroup.
//
// Moving another process, or a process with all its threads, the kernel first
// stops every fork, exec and exit of the machine, and waits until all
// processors have noticed: that takes 10 ms. A thread that moves itself
// needs none of it.
//
// Linux 5.5: cgroup_procs_write_start in kernel/cgroup/cgroup.c.
type Entrance struct {
	// File is its absolute path.
	File string
	// Optional says that a container can do without the cgroup, which may
	// not exist: its hierarchy has no controllers.
	Optional bool
}

// entrances returns those of the v1 hierarchies in paths, in a fixed order.
func entrances(paths map[string]string) []Entrance {
	list := make([]Entrance, 0, len(paths))
	for name, path := range paths {
		if name != "" {
			list = append(list, Entrance{path + "/tasks", strings.HasPrefix(name, cgroups.CgroupNamePrefix)})
		}
	}
	// Controllers of one hierarchy share a directory.
	slices.SortFunc(list, func(a, b Entrance) int { return strings.Compare(a.File, b.File) })
	return slices.CompactFunc(list, func(a, b Entrance) bool { return a.File == b.File })
}
