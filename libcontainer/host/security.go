package host

import (
	"bytes"
	"strconv"
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

// NoNewPrivs tells whether no program that this process executes gains
// privileges.
func NoNewPrivs() bool { return noNewPrivs() }

var noNewPrivs = sync.OnceValue(func() bool {
	v, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	return err == nil && v == 1
})

// Seccomp tells whether the kernel has seccomp filters.
func Seccomp() bool { return seccomp() }

var seccomp = sync.OnceValue(func() bool {
	// Without a program: the kernel that knows filters faults on the address.
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, 0, 0, 0)
	return err == unix.EFAULT
})

// MemfdNoexec returns vm.memfd_noexec of this pid namespace: 0 or 1 allow to
// execute a memfd, 2 does not.
func MemfdNoexec() int { return memfdNoexec() }

var memfdNoexec = sync.OnceValue(func() int {
	data, err := sys.ReadSmall("/proc/sys/vm/memfd_noexec", make([]byte, 8))
	if err != nil {
		return 0 // before Linux 6.3
	}
	n, _ := strconv.Atoi(string(bytes.TrimSpace(data)))
	return n
})
