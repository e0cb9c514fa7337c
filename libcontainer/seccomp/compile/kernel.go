package compile

import (
	"math/bits"
	"sync"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/seccomp"
)

// UnsupportedError says what the running kernel lacks.
type UnsupportedError struct {
	Field   string // of the configuration that asks for it
	Feature string
	Since   string // the kernel that has it, such as "Linux 5.19"; "" for an option of its build
}

// Error is one line.
func (e *UnsupportedError) Error() string {
	text := "config.json: " + e.Field + ": this kernel has no " + e.Feature
	if e.Since != "" {
		text += " [since " + e.Since + "]"
	}
	return text
}

// KernelFlags are the SECCOMP_FILTER_FLAG_* bits that a profile can ask for and
// the running kernel knows.
var KernelFlags = sync.OnceValue(func() uint32 {
	var known uint32
	for _, flag := range []uint32{
		unix.SECCOMP_FILTER_FLAG_TSYNC,
		unix.SECCOMP_FILTER_FLAG_LOG,
		unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER,
	} {
		if probeFlags(flag) == unix.EFAULT {
			known |= flag
		}
	}
	// Linux 5.19: only together with a listener.
	const killable = unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	if probeFlags(killable|unix.SECCOMP_FILTER_FLAG_NEW_LISTENER) == unix.EFAULT {
		known |= killable
	}
	return known
})

// SupportedFlags are the names of the flags that the running kernel supports,
// of those that seccomp.Flags knows.
func SupportedFlags() []string {
	var names []string
	for _, name := range seccomp.Flags() {
		flag := seccomp.FilterFlags(&specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow,
			Flags:         []specs.LinuxSeccompFlag{specs.LinuxSeccompFlag(name)},
		})
		if flag == 0 {
			flag = unix.SECCOMP_FILTER_FLAG_TSYNC // accepted, and not passed on
		}
		if KernelFlags()&flag == flag {
			names = append(names, name)
		}
	}
	return names
}

// probeFlags asks the kernel to load no filter with these flags: EFAULT means
// that it looked at all else and liked it, EINVAL that it does not know a
// flag, ENOSYS that it has no seccomp.
func probeFlags(flags uint32) unix.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(flags), 0)
	return errno
}

// usableFlags are the flags to load a profile's filter with, after asking the
// kernel. What a filter around us forbids (EPERM) is found out at the load.
func usableFlags(p *specs.LinuxSeccomp) (uint32, error) {
	flags := seccomp.FilterFlags(p)
	switch probeFlags(flags) {
	case unix.ENOSYS:
		return 0, &UnsupportedError{Field: "linux.seccomp", Feature: "seccomp filters (CONFIG_SECCOMP_FILTER)"}
	case unix.EINVAL:
		return withoutUnknown(p, flags)
	}
	return flags, nil
}

// withoutUnknown leaves out a default flag that the kernel does not know, and
// refuses one that the profile names.
func withoutUnknown(p *specs.LinuxSeccomp, flags uint32) (uint32, error) {
	if p.Flags == nil {
		flags &= KernelFlags() | ^uint32(unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW)
	}
	missing := flags &^ KernelFlags()
	if missing == 0 {
		return flags, nil
	}
	bit := uint32(1) << bits.TrailingZeros32(missing)
	return 0, &UnsupportedError{"linux.seccomp.flags", seccomp.FlagName(bit), since(bit)}
}

// since is the kernel that brought a flag.
func since(flag uint32) string {
	switch flag {
	case unix.SECCOMP_FILTER_FLAG_LOG:
		return "Linux 4.14"
	case unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW:
		return "Linux 4.17"
	case unix.SECCOMP_FILTER_FLAG_NEW_LISTENER:
		return "Linux 5.0"
	case unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV:
		return "Linux 5.19"
	}
	return ""
}
