package layer

import (
	"bytes"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// withoutUmask runs f on a thread of its own that has no umask, so that files
// are created with the right mode at once. The process's umask stays.
func withoutUmask(u *unpacker, f func() error) error {
	result := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			u.masked = true // A container's filter: modes are set one by one.
		} else {
			unix.Umask(0)
		}
		result <- f()
	}()
	return <-result
}

// inUserNamespace says whether we are in a user namespace: one that does not
// have all ids.
func inUserNamespace() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && !bytes.Equal(bytes.Join(bytes.Fields(text), []byte(" ")), []byte("0 0 4294967295"))
}
