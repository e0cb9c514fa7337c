// Package lock locks files and directories against other processes, and waits for them
// no longer than a context lasts.
//
// It is not for what goroutines share: a lock belongs to an open file.
package lock

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Wait locks an open file, unix.LOCK_SH or unix.LOCK_EX, and waits for it unless ctx
// ends first.
func Wait(ctx context.Context, f *os.File, how int) error {
	err := Try(f, how)
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return err
	}
	done := make(chan error, 1)
	waiter, err := dup(f)
	if err != nil {
		return err
	}
	go func() {
		defer waiter.Close()
		done <- retry(func() error { return unix.Flock(int(waiter.Fd()), how) })
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// dup is a second descriptor of the same open file, so that closing the first
// does not disturb who waits on it.
func dup(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "dup", Path: f.Name(), Err: err}
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// Try does not wait: [unix.EWOULDBLOCK].
func Try(f *os.File, how int) error {
	return retry(func() error { return unix.Flock(int(f.Fd()), how|unix.LOCK_NB) })
}

func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// Same tells whether a path still is the file that was opened. It is not, where
// another process has removed it or renamed it into place meanwhile.
func Same(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(opened, there)
}
