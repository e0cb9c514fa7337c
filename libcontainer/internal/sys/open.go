package sys

import (
	"os"
	"runtime"
	"strings"

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
	if err == unix.ENOSYS || err == unix.EPERM {
		fd, err = openPlain(dirfd, path, &flags)
	}
	runtime.KeepAlive(dir)
	if err != nil {
		return nil, &os.PathError{Op: "openat2", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// openPlain stands in for openat2(2) where a container host refuses it, for a
// single name that is neither a link nor on another mount.
func openPlain(dirfd int, name string, how *unix.OpenHow) (int, error) {
	const plain = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS
	if how.Resolve != plain || name == "" || name == ".." || strings.Contains(name, "/") {
		return -1, unix.ENOSYS
	}
	fd, err := RetryValue(func() (int, error) { return unix.Openat(dirfd, name, int(how.Flags)|unix.O_NOFOLLOW, 0) })
	if err != nil {
		return -1, err
	}
	if err := sameMount(dirfd, fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// sameMount is EXDEV unless both are on one mount, and the second is no link.
func sameMount(dirfd, fd int) error {
	var dir, file unix.Statx_t
	const mask = unix.STATX_MNT_ID | unix.STATX_TYPE
	if err := unix.Statx(dirfd, "", unix.AT_EMPTY_PATH, mask, &dir); err != nil {
		return err
	}
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, mask, &file); err != nil {
		return err
	}
	switch {
	case file.Mode&unix.S_IFMT == unix.S_IFLNK:
		return unix.ELOOP
	case dir.Mnt_id != file.Mnt_id:
		return unix.EXDEV
	}
	return nil
}
