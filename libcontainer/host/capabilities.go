package host

import (
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// capNames are the capabilities by number, see capabilities(7).
//
// The package syndtr/gocapability has them too, and opens a file of procfs in
// its initialisation, 0.1 to 0.3 ms of every start of every command: it is only
// what the tests compare with.
var capNames = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER",
	"CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
	"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
	"CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
	"CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
	"CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD",
	"CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP",
	"CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
}

// CapName returns the name of a capability, "CAP_41" for one that has none
// here.
func CapName(n int) string {
	if n >= 0 && n < len(capNames) {
		return capNames[n]
	}
	return "CAP_" + strconv.Itoa(n)
}

// CapNumber returns the number of a capability, by its name in capital letters
// with CAP_.
func CapNumber(name string) (n int, ok bool) {
	for n, known := range capNames {
		if known == name {
			return n, true
		}
	}
	return 0, false
}

// EffectiveCaps returns this process's effective capabilities, a bit for each.
func EffectiveCaps() uint64 { return effectiveCaps() }

var effectiveCaps = sync.OnceValue(func() uint64 {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return 0
	}
	return uint64(data[1].Effective)<<32 | uint64(data[0].Effective)
})

// BoundingCaps returns this process's bounding set, a bit for each capability.
func BoundingCaps() uint64 { return bounding().set }

// LastCap returns the number of the last capability that the kernel has, -1 if
// that cannot be found out.
func LastCap() int { return bounding().last }

type bounds struct {
	set  uint64
	last int
}

// The kernel refuses to tell of a capability that it does not have.
var bounding = sync.OnceValue(func() bounds {
	b := bounds{last: -1}
	for n := range 64 {
		held, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0)
		if err != nil {
			break
		}
		b.set |= uint64(held) << n
		b.last = n
	}
	return b
})
