package statefile

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Lock is a file that one process at a time has locked.
type Lock struct{ f *os.File }

// Acquire locks the file at path, which it makes where there is none (mode
// 0600), and waits for as long as another holds it. Two calls of one process
// exclude each other too.
func Acquire(path string) (*Lock, error) {
	for {
		l, err := acquire(path)
		if l != nil || err != nil {
			return l, err
		}
	}
}

// acquire returns nothing where the file was removed while it waited.
func acquire(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	err = flock(f)
	var st unix.Stat_t
	if err == nil {
		err = unix.Fstat(int(f.Fd()), &st)
	}
	if err != nil || st.Nlink == 0 {
		f.Close()
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("locking %s: %w", path, err)
	case st.Nlink == 0:
		return nil, nil
	}
	return &Lock{f}, nil
}

func flock(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != unix.EINTR {
			return err
		}
	}
}

// File is the descriptor that holds the lock. A process that inherits it holds
// the lock too, until the last of them has closed it or ended.
func (l *Lock) File() *os.File { return l.f }

// Release unlocks. It may be called more than once.
func (l *Lock) Release() { l.f.Close() }

// Remove removes the file before it unlocks; those who wait make a new one.
func (l *Lock) Remove() error {
	defer l.Release()
	return os.Remove(l.f.Name())
}
