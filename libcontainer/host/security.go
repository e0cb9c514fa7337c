package host

import (
	"bytes"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// AppArmor tells whether AppArmor confines programs on this machine.
func AppArmor() bool { return appArmor() }

var appArmor = sync.OnceValue(func() bool {
	data, err := sys.ReadSmall("/sys/module/apparmor/parameters/enabled", make([]byte, 8))
	return err == nil && bytes.HasPrefix(data, []byte("Y"))
})

// SELinux tells whether SELinux labels processes on this machine: its file
// system is mounted, and a policy is loaded.
func SELinux() bool { return seLinux() }

var seLinux = sync.OnceValue(func() bool {
	if fsType("/sys/fs/selinux") != unix.SELINUX_MAGIC {
		return false
	}
	label, err := sys.ReadSmall("/proc/self/attr/current", make([]byte, 4096))
	return err == nil && string(bytes.TrimRight(label, "\x00\n")) != "kernel"
})

// Seccomp tells whether the kernel has seccomp filters.
func Seccomp() bool { return seccomp() }

var seccomp = sync.OnceValue(func() bool {
	// Without a program: the kernel that knows filters faults on the address.
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, 0, 0, 0)
	return err == unix.EFAULT
})
