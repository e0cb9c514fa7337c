package statefile

import (
	"errors"
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
	l, err := lock(path, os.O_CREATE, unix.LOCK_EX)
	if errors.Is(err, errRemoved) {
		return nil, nil
	}
	return l, err
}

// The errors of Wait and Try.
var (
	// ErrLocked is that another has the lock.
	ErrLocked  = errors.New("another process has it locked")
	errRemoved = fmt.Errorf("it was removed: %w", os.ErrNotExist)
)

// Wait is Acquire of a file that is there. os.ErrNotExist: it is not, or was
// removed meanwhile.
func Wait(path string) (*Lock, error) { return lock(path, 0, unix.LOCK_EX) }

// Try is Wait without waiting. ErrLocked: another has the lock.
func Try(path string) (*Lock, error) { return lock(path, 0, unix.LOCK_EX|unix.LOCK_NB) }

// TryAcquire is Acquire without waiting. ErrLocked: another has the lock.
func TryAcquire(path string) (*Lock, error) {
	return lock(path, os.O_CREATE, unix.LOCK_EX|unix.LOCK_NB)
}

// Share locks the file at path, which it makes where there is none, together with
// others who share it; whoever has it alone is waited for.
func Share(path string) (*Lock, error) { return lock(path, os.O_CREATE, unix.LOCK_SH) }

// lock opens a file and locks it.
func lock(path string, open, how int) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|open, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	err = flock(f, how)
	var st unix.Stat_t
	if err == nil {
		err = unix.Fstat(int(f.Fd()), &st)
	}
	if err == nil && st.Nlink == 0 {
		err = errRemoved
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return &Lock{f}, nil
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		switch err {
		case unix.EINTR:
			continue
		case unix.EWOULDBLOCK:
			return ErrLocked
		}
		return err
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
