package seccomp

import (
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// namespaces are the flags of clone(2) that make a new namespace, but for time
// namespaces, whose flag means something else there.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER |
	unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP

// sysAdmin changes more than a list: with it clone may make namespaces.
const sysAdmin = "CAP_SYS_ADMIN"

// granted are the system calls that a capability in the bounding set lets through.
var granted = []struct{ capability, names string }{
	{"CAP_BPF", "bpf"},
	{"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
	{"CAP_PERFMON", "perf_event_open"},
	{sysAdmin, `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
	 lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd
	 setdomainname sethostname setns syslog umount umount2 unshare`},
	{"CAP_SYS_BOOT", "reboot"},
	{"CAP_SYS_CHROOT", "chroot"},
	{"CAP_SYS_MODULE", "delete_module finit_module init_module"},
	{"CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
	{"CAP_SYS_PACCT", "acct"},
	{"CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise"},
	{"CAP_SYS_RAWIO", "ioperm iopl"},
	{"CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime"},
	{"CAP_SYS_TTY_CONFIG", "vhangup"},
	{"CAP_SYSLOG", "syslog"},
}

// machine is what an architecture, in Go's name, adds: the other architectures
// whose programs it runs, and its own system calls.
type machine struct {
	arches []specs.Arch
	names  string
}

// machines are the architectures that davit is for.
var machines = map[string]machine{
	"amd64": {[]specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32}, "arch_prctl modify_ldt"},
	"arm64": {[]specs.Arch{specs.ArchAARCH64, specs.ArchARM},
		"arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2"},
}

// Default is the profile for a container that can have these capabilities
// ("CAP_CHOWN"), on an architecture in Go's name ("amd64"). What it refuses fails
// with EPERM, but clone3 with ENOSYS, on which C libraries go back to clone, whose
// flags a filter can see.
func Default(arch string, bounding []string) *specs.LinuxSeccomp {
	m := machines[arch]
	profile := &specs.LinuxSeccomp{
		DefaultAction:   specs.ActErrno,
		DefaultErrnoRet: errno(unix.EPERM),
		Architectures:   slices.Clone(m.arches),
		Syscalls:        []specs.LinuxSyscall{allow(names(always...))},
	}
	if m.names != "" {
		profile.Syscalls = append(profile.Syscalls, allow(names(m.names)))
	}
	profile.Syscalls = append(profile.Syscalls, sockets()...)
	profile.Syscalls = append(profile.Syscalls, personalities()...)
	profile.Syscalls = append(profile.Syscalls, byCapability(bounding)...)
	return profile
}

// byCapability are the rules that depend on capabilities.
func byCapability(bounding []string) []specs.LinuxSyscall {
	var rules []specs.LinuxSyscall
	for _, g := range granted {
		if slices.Contains(bounding, g.capability) {
			rules = append(rules, allow(names(g.names)))
		}
	}
	if slices.Contains(bounding, sysAdmin) {
		return rules
	}
	return append(rules,
		allow([]string{"clone"}, specs.LinuxSeccompArg{Index: 0, Value: namespaces, ValueTwo: 0, Op: specs.OpMaskedEqual}),
		specs.LinuxSyscall{Names: []string{"clone3"}, Action: specs.ActErrno, ErrnoRet: errno(unix.ENOSYS)},
	)
}

// sockets lets through every address family but AF_ALG, the kernel's
// cryptography, and AF_VSOCK, the way to a virtual machine's host.
// CVE-2026-31431: AF_ALG.
func sockets() []specs.LinuxSyscall {
	family := func(op specs.LinuxSeccompOperator, value uint64) specs.LinuxSyscall {
		return allow([]string{"socket"}, specs.LinuxSeccompArg{Index: 0, Value: value, Op: op})
	}
	return []specs.LinuxSyscall{
		family(specs.OpLessThan, unix.AF_ALG),
		family(specs.OpEqualTo, unix.AF_NFC), // between the two
		family(specs.OpGreaterThan, unix.AF_VSOCK),
	}
}

// personalities lets through those that make a program no more powerful: Linux
// of 32 and 64 bits, with and without uname's release as 2.6, and the question
// which it is.
func personalities() []specs.LinuxSyscall {
	const linux, linux32, uname26, ask = 0, 0x8, 0x20000, 0xffffffff
	var rules []specs.LinuxSyscall
	for _, value := range []uint64{linux, linux32, uname26, uname26 | linux32, ask} {
		rules = append(rules, allow([]string{"personality"}, specs.LinuxSeccompArg{Index: 0, Value: value, Op: specs.OpEqualTo}))
	}
	return rules
}

func allow(names []string, args ...specs.LinuxSeccompArg) specs.LinuxSyscall {
	return specs.LinuxSyscall{Names: names, Action: specs.ActAllow, Args: args}
}

// names are the words of texts.
func names(texts ...string) []string {
	return strings.Fields(strings.Join(texts, " "))
}

func errno(e unix.Errno) *uint {
	n := uint(e)
	return &n
}
