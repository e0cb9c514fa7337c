package sys

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// openTries bounds how often a resolution is tried again that a concurrent
// rename disturbed.
const openTries = 128

// Openat2 opens path below dir, or below the working directory where dir is
// nil, always close-on-exec. A resolution that a concurrent rename disturbed
// (EAGAIN) is tried again, a bounded number of times.
//
// Linux 5.6: openat2(2).
func Openat2(dir *os.File, path string, how *unix.OpenHow) (*os.File, error) {
	dirfd := unix.AT_FDCWD
	if dir != nil {
		dirfd = int(dir.Fd())
	}
	flags := *how
	flags.Flags |= unix.O_CLOEXEC
	var fd int
	var err error
	for range openTries {
		fd, err = RetryValue(func() (int, error) { return unix.Openat2(dirfd, path, &flags) })
		if err != unix.EAGAIN {
			break
		}
	}
	runtime.KeepAlive(dir)
	if err != nil {
		return nil, &os.PathError{Op: "openat2", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}
