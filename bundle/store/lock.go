package store

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/internal/lock"
)

// locked runs do while the store's lock is held: unix.LOCK_SH while something
// is taken into use, unix.LOCK_EX to change the index and to remove.
func (s *Store) locked(ctx context.Context, how int, do func() error) error {
	f, err := os.OpenFile(s.path("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := lock.Wait(ctx, f, how); err != nil {
		return err
	}
	return do()
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
		if lock.Same(f, path) {
			return f, nil
		}
		f.Close()
	}
}

func (s *Store) wait(ctx context.Context, f *os.File, waiting func()) error {
	err := lock.Try(f, unix.LOCK_EX)
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return err
	}
	if waiting != nil {
		waiting()
	}
	return lock.Wait(ctx, f, unix.LOCK_EX)
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
