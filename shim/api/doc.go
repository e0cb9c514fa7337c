// Package api has the messages of containerd's shim protocol: tasks (versions 2
// and 3 have the same), sandboxes, events, the bootstrap, a runtime's
// description, runc's options, and metrics of both cgroup versions.
//
// It is not containerd's own package of that purpose, which registers
// descriptors of every message when a program starts; see package protobuf. The
// tests compare the two, field by field.
package api
