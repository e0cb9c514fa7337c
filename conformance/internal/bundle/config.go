package bundle

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/conformance/internal/view"
)

// Default is what the spec command of runtimes writes, running /bin/true
// without a terminal.
func Default() *specs.Spec {
	return &specs.Spec{
		Version:  "1.0.2",
		Process:  defaultProcess(),
		Root:     &specs.Root{Path: "rootfs", Readonly: true},
		Hostname: "bench",
		Mounts:   defaultMounts(),
		Linux: &specs.Linux{
			Resources:  &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}},
			Namespaces: defaultNamespaces(),
			MaskedPaths: []string{
				"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
				"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
			},
			ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
}

// Lasting is Default with a program that stays until it is killed.
func Lasting() *specs.Spec {
	s := Default()
	s.Process.Args = []string{"/bin/sleep", "1000000"}
	return s
}

// defaultProcess is /bin/true as root with three capabilities.
func defaultProcess() *specs.Process {
	caps := []string{"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"}
	return &specs.Process{
		Args:            []string{"/bin/true"},
		Env:             []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"},
		Cwd:             "/",
		Capabilities:    &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps},
		Rlimits:         []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: 1024, Soft: 1024}},
		NoNewPrivileges: true,
	}
}

// defaultMounts are the seven mounts of an ordinary container.
func defaultMounts() []specs.Mount {
	return []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc"},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"}},
	}
}

// defaultNamespaces are all but the user namespace; a cgroup namespace where
// there is cgroup2, as the spec command does.
func defaultNamespaces() []specs.LinuxNamespace {
	namespaces := []specs.LinuxNamespace{
		{Type: specs.PIDNamespace}, {Type: specs.NetworkNamespace}, {Type: specs.IPCNamespace},
		{Type: specs.UTSNamespace}, {Type: specs.MountNamespace},
	}
	if view.IsCgroup2(view.Dir) {
		namespaces = append(namespaces, specs.LinuxNamespace{Type: specs.CgroupNamespace})
	}
	return namespaces
}

// Engine is what an engine would write: a seccomp profile like Docker's
// default, twenty mounts, more capabilities, and the limits for which the view
// of the cgroups has controllers.
func Engine(dir string) *specs.Spec {
	s := Default()
	s.Mounts = append(s.Mounts, engineMounts(dir)...)
	s.Linux.Seccomp = Seccomp()
	s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, "/proc/interrupts", "/sys/devices/virtual/powercap")
	limit(s.Linux.Resources)
	caps := []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
		"CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
	}
	s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}
	s.Process.Rlimits = append(s.Process.Rlimits,
		specs.POSIXRlimit{Type: "RLIMIT_NPROC", Hard: 1024, Soft: 1024},
		specs.POSIXRlimit{Type: "RLIMIT_CORE", Hard: 0, Soft: 0})
	return s
}

// engineMounts are the thirteen mounts that make twenty: three files, six
// directories and four file systems in memory.
func engineMounts(dir string) []specs.Mount {
	var mounts []specs.Mount
	for _, name := range boundFiles {
		mounts = append(mounts, specs.Mount{Destination: "/etc/" + name, Type: "bind", Source: dir + "/" + name, Options: []string{"rbind", "rprivate"}})
	}
	for i := range boundDirs {
		access := []string{"ro", "rw"}[i%2]
		mounts = append(mounts, specs.Mount{Destination: fmt.Sprintf("/mnt/volume%d", i), Type: "bind", Source: fmt.Sprintf("%s/volume%d", dir, i), Options: []string{"rbind", access, "rprivate"}})
	}
	for _, dest := range []string{"/run", "/tmp", "/var/tmp", "/run/lock"} {
		mounts = append(mounts, specs.Mount{Destination: dest, Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "mode=1777", "size=1m"}})
	}
	return mounts
}

// limit sets the limits of the controllers that are here.
func limit(r *specs.LinuxResources) {
	if view.HasController("memory") {
		r.Memory = &specs.LinuxMemory{Limit: new(int64(512 << 20))}
	}
	if view.HasController("cpu") {
		r.CPU = &specs.LinuxCPU{Shares: new(uint64(512)), Quota: new(int64(150000)), Period: new(uint64(100000))}
	}
	if view.HasController("pids") {
		r.Pids = &specs.LinuxPids{Limit: new(int64(100))}
	}
}

// MemoryLimit is a memory limit, in KiB.
func MemoryLimit(kib int) *specs.LinuxMemory {
	return &specs.LinuxMemory{Limit: new(int64(kib) << 10)}
}
