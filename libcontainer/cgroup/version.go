package cgroup

import "github.com/opencontainers/cgroups"

// version is that of the cgroup interface; v1 stands for hybrid hosts too, on
// which the controllers are v1's.
type version int

const (
	v1 version = 1
	v2 version = 2
)

// hostVersion asks the library, which asks once in a process: all of its
// packages must act alike.
func hostVersion() version {
	if cgroups.IsCgroup2UnifiedMode() {
		return v2
	}
	return v1
}
