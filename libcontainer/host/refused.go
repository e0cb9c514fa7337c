package host

import (
	"sync"

	"golang.org/x/sys/unix"
)

// RefusedCalls returns the names of system calls that the kernel has, and that
// a seccomp filter refuses with ENOSYS or EPERM, as container hosts do whose
// profile is older than the calls. It looks for "openat2", "mount_setattr" and
// "open_tree", which can be done without; the last stands for the calls that came
// with it, from fsopen(2) to move_mount(2). It is not to be changed.
func RefusedCalls() []string { return refusedCalls() }

// What is asked for is invalid, which the kernel says before it looks at rights.
var refusedCalls = sync.OnceValue(func() []string {
	var refused []string
	_, err := unix.Openat2(-1, "/", &unix.OpenHow{Resolve: ^uint64(0)})
	if isRefusal(err) {
		refused = append(refused, "openat2")
	}
	if isRefusal(unix.MountSetattr(-1, "", ^uint(0), &unix.MountAttr{})) {
		refused = append(refused, "mount_setattr")
	}
	if _, err := unix.OpenTree(-1, "", ^uint(0)); isRefusal(err) {
		refused = append(refused, "open_tree")
	}
	return refused
})

func isRefusal(err error) bool { return err == unix.ENOSYS || err == unix.EPERM }
