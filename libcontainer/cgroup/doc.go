// Package cgroup makes, limits, empties and removes the control group of one
// container: cgroup v1, hybrid, v2, and v2 or v1 through systemd.
//
// Values and file names are those of github.com/opencontainers/cgroups, which
// runc and the kubelet use. What is done here without it, and why:
//
//   - Creation on pure v2 with the cgroupfs driver. A container start there
//     needs one mkdir, one open and two small reads when the parents already
//     pass all controllers on; the library walks and writes every level.
//   - The device filter. The library's package for it costs every start of
//     the program 0.2 ms of initialisation, and its eBPF program three times
//     the verifier's work; it also lets a device denied for writing alone be
//     opened for reading and writing together.
//   - Waiting. Freezing, emptying and removing wait for events of the kernel
//     (cgroup.events, pidfds), with a bound; the library sleeps and tries again.
//
// A [Manager] is made by [New] for a new container, or by [Open] from the
// [Saved] value of a state file. Saved is complete before anything exists, so
// that a later process can remove whatever a killed one has begun.
// [Manager.PrepareUpdate] changes the limits of a cgroup in use,
// [Manager.Stats] reads what it has used.
//
// This package is not for mounting cgroup filesystems into a container (that
// is the plan's) or for namespaces.
package cgroup
