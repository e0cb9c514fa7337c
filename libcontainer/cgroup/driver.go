package cgroup

import (
	"errors"
	"fmt"
)

// A Driver says who makes the cgroup.
type Driver string

const (
	// Cgroupfs writes to the cgroup filesystem itself. It is the default.
	Cgroupfs Driver = "cgroupfs"
	// Systemd asks systemd for a transient scope, by D-Bus.
	Systemd Driver = "systemd"
	// Disabled makes no cgroup; the container stays in that of its creator.
	// Compat(podman): passes --cgroup-manager=disabled.
	Disabled Driver = "disabled"
)

// ParseDriver returns the driver of that name; the empty name is [Cgroupfs].
func ParseDriver(name string) (Driver, error) {
	switch d := Driver(name); d {
	case "":
		return Cgroupfs, nil
	case Cgroupfs, Systemd, Disabled:
		return d, nil
	}
	return "", fmt.Errorf("unknown cgroup driver %q (cgroupfs, systemd or disabled)", name)
}

// errNoDirectory says that there is nothing to clone a process into.
var errNoDirectory = errors.New("opening the cgroup's directory: this driver has no single one")

// A Join says how a process comes into a container's cgroup.
type Join int

const (
	// JoinNone means that there is no cgroup to join.
	JoinNone Join = iota
	// JoinByClone means clone3(2) with CLONE_INTO_CGROUP and [Manager.File].
	JoinByClone
	// JoinByAttach means [Manager.Attach] after the process exists.
	JoinByAttach
	// JoinBySelf means [Manager.Make] and [Manager.Entrances], and [Manager.File]
	// as with JoinByClone unless it returns nil.
	JoinBySelf
)

// String returns the name of j for traces.
func (j Join) String() string {
	switch j {
	case JoinByClone:
		return "clone"
	case JoinByAttach:
		return "attach"
	case JoinBySelf:
		return "self"
	}
	return "none"
}
