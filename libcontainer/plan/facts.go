package plan

// Facts are what a plan depends on of the host and of the process that will
// make the container. They are values: probing is package host's work.
type Facts struct {
	// Privileged means effective uid 0 in the initial user namespace (or in
	// one that holds every capability needed): bind sources may be opened and
	// idmapped outside, and limits raised.
	Privileged bool
	// Capabilities is the set that may be granted: bit N for capability N.
	Capabilities uint64
	// LastCapability is the highest number that the kernel knows.
	LastCapability int
	// CgroupV2 means that /sys/fs/cgroup is a cgroup2 mount.
	CgroupV2 bool
	// Hierarchies are the cgroup v1 mounts of the host, in mount order.
	Hierarchies []Hierarchy
	AppArmor    bool // enabled
	SELinux     bool // enabled
	Kcore       bool // /proc/kcore exists
	// FullProcMounts are the host's whole proc and sysfs mounts, which a
	// container without pivot_root must not keep in reach.
	FullProcMounts []string
	// SetgroupsDenied means that setgroups(2) is not allowed in the container's user namespace.
	SetgroupsDenied bool
	// SharesUserNS: davit is in the container's user namespace itself, which
	// the kernel does not let anyone join twice.
	SharesUserNS bool
	// SharesCgroupNS: the cgroup namespace that the container joins is davit's own.
	SharesCgroupNS bool
	// Refused are system calls, "openat2", "mount_setattr" and "open_tree", that
	// the kernel has and a container host refuses to what runs in its containers.
	Refused []string
	// OverlayAppends: overlayfs takes its lower directories one by one.
	OverlayAppends bool
	// InUserNamespace: davit runs in a user namespace, where mknod(2) of devices is refused.
	InUserNamespace bool
}

// Hierarchy is a mounted cgroup v1 hierarchy.
type Hierarchy struct {
	Mountpoint  string   // such as "/sys/fs/cgroup/cpu,cpuacct"
	Controllers []string // such as "cpu", "cpuacct", or "name=systemd"
}
