package store

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// flock locks an open file, and waits for it unless ctx ends first.
func flock(ctx context.Context, f *os.File, how int) error {
	err := tryLock(f, how)
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

// tryLock does not wait: [unix.EWOULDBLOCK].
func tryLock(f *os.File, how int) error {
	return retry(func() error { return unix.Flock(int(f.Fd()), how|unix.LOCK_NB) })
}

func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// locked runs do while the store's lock is held: unix.LOCK_SH while something
// is taken into use, unix.LOCK_EX to change the index and to remove.
func (s *Store) locked(ctx context.Context, how int, do func() error) error {
	f, err := os.OpenFile(s.path("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := flock(ctx, f, how); err != nil {
		return err
	}
	return do()
}

// same tells whether a path still is the file that was opened. It is not, where
// another process has removed it or renamed it into place meanwhile.
func same(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(opened, there)
}

// claim makes an entry of the directory of work, or takes over a dead one, and
// locks it. open makes it where it is not there, and gives nil where another
// process removed it at once; waiting is called before this process waits for
// another one.
func (s *Store) claim(ctx context.Context, name string, open func(path string) (*os.File, error), waiting func()) (*os.File, error) {
	path := s.path("work", name)
	for {
		f, err := open(path)
		if err != nil {
			return nil, err
		}
		if f == nil {
			continue // removed between making and opening
		}
		if err := s.wait(ctx, f, waiting); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if same(f, path) {
			return f, nil
		}
		f.Close()
	}
}

func (s *Store) wait(ctx context.Context, f *os.File, waiting func()) error {
	err := tryLock(f, unix.LOCK_EX)
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return err
	}
	if waiting != nil {
		waiting()
	}
	return flock(ctx, f, unix.LOCK_EX)
}

// makeAndOpenDir is for claiming a directory.
func makeAndOpenDir(path string) (*os.File, error) {
	if err := os.Mkdir(path, dirMode); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return f, err
}

// makeAndOpenFile is for claiming a file.
func makeAndOpenFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
}
