package config

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Options is what a person wants of a container beside what its image says. The
// zero value is the image as it is, in namespaces of its own, with the
// capabilities, masks and seccomp profile that Docker gives by default.
type Options struct {
	// Entrypoint replaces the image's, and with it the image's command, unless it
	// is nil; {""} replaces it by none.
	Entrypoint []string
	// Command replaces the image's where it is not empty.
	Command []string
	// Env are "NAME=VALUE", which sets, or "NAME", which removes what the image set.
	Env []string
	// Cwd replaces the image's working directory; it is absolute.
	Cwd string
	// Terminal gives the process a pseudo-terminal.
	Terminal bool
	// CapAdd and CapDrop change the default capabilities; names with or without
	// CAP_, or ALL.
	CapAdd, CapDrop []string
	// Privileged gives all capabilities, all devices, and takes masks and seccomp away.
	Privileged bool
	// NoNewPrivileges keeps programs with set-id bits from giving more.
	NoNewPrivileges bool
	// Unmasked leaves the kernel's files that are masked or read-only by default as they are.
	Unmasked bool
	// Seccomp replaces the default profile.
	Seccomp Seccomp
	// ApparmorProfile and SelinuxLabel are handed to the runtime.
	ApparmorProfile, SelinuxLabel string
	// Rlimits are set for the process.
	Rlimits []specs.POSIXRlimit
	// OOMScoreAdj is set where it is not nil.
	OOMScoreAdj *int

	// Root is the root file system in config.json, "rootfs" when empty.
	Root string
	// ReadOnly makes it so.
	ReadOnly bool
	// Mounts are added to the default ones, and replace those with the same
	// destination. Destinations are absolute.
	Mounts []specs.Mount
	// ShmSize is that of /dev/shm in bytes; 0 is 64 MiB.
	ShmSize int64
	// NoShm leaves /dev/shm out.
	NoShm bool
	// Devices are made in the container, and allowed by its cgroup.
	Devices []Device
	// DeviceRules are further rules of the cgroup.
	DeviceRules []specs.LinuxDeviceCgroup

	// Hostname and Domainname need a uts namespace that is not the host's.
	Hostname, Domainname string
	// Namespaces says where a namespace is not the default.
	Namespaces map[specs.LinuxNamespaceType]Namespace
	// UIDMappings and GIDMappings put the container into a user namespace.
	UIDMappings, GIDMappings []specs.LinuxIDMapping
	// Sysctl are settings of namespaces that are the container's own.
	Sysctl map[string]string

	// CgroupsPath is as the runtime takes it.
	CgroupsPath string
	// Resources are limits; devices in them are ignored, see Devices.
	Resources specs.LinuxResources

	// StopSignal replaces the image's.
	StopSignal string
	// Rootless is for a runtime that is called by a user who is not root: without
	// rules for devices, which nobody could set.
	Rootless bool
	// Annotations are handed to the runtime, which may act on them. They come
	// from a person, never from an image.
	Annotations map[string]string
}

// Seccomp is a choice of profile.
type Seccomp struct {
	// Unconfined is no profile at all.
	Unconfined bool
	// Profile is another than the default, in JSON as package seccomp loads it.
	Profile []byte
}

// Namespace is a namespace that a container does not make: the host's, or one
// that a path names.
type Namespace struct {
	Host bool
	Path string
}

// Device is a device of the container's.
type Device struct {
	specs.LinuxDevice
	// Access is what the cgroup allows: r, w and m; "" is all three.
	Access string
	// Source is where the host has it, if that is another path.
	Source string
}

// Facts is what a configuration depends on of the machine that will run it.
type Facts struct {
	// Arch is the architecture in Go's name.
	Arch string
	// Kernel is the kernel's version: 5 and 14. Seccomp profiles ask for it.
	Kernel [2]int
	// NoMqueue tells that the host has no /dev/mqueue.
	NoMqueue bool
	// Cgroup2 tells that cgroup v2 is all that the host has.
	Cgroup2 bool
	// CPUs are the possible processors, each of which has files to mask.
	CPUs int
	// LastCapability is the number of the kernel's last one, from
	// /proc/sys/kernel/cap_last_cap.
	LastCapability int
}
