package container

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/internal/statefile"
)

// MendBy has do called with a container whose supervisor was killed, and its keeper
// too, when somebody looks at it first: do ends and removes what they left, or
// removes the container itself. was is what the container was said to be. Without it
// the container is said to have exited, whatever runs on.
func (s *Store) MendBy(do func(l *Locked, was State) error) { s.mend = do }

// The supervisor's file has this much in it from a supervisor's beginning until
// nothing is left of what it did, in bytes.
const inUse = 1

// Begin says that there may be something of the container from now on that has to be
// cleaned up, until End; f is what Supervise returned.
func Begin(f *os.File) error {
	if err := f.Truncate(inUse); err != nil {
		return fmt.Errorf("marking the container as supervised: %w", err)
	}
	return nil
}

// End says that nothing is left to be cleaned up.
func End(f *os.File) error { return f.Truncate(0) }

// left tells whether a supervisor that has gone left something.
func (c *Container) left() bool {
	var st unix.Stat_t
	err := unix.Lstat(c.path(supervisorFile), &st)
	return err == nil && st.Size > 0 && !c.Supervised()
}

// mended is the state after what was left is cleaned up. Whoever has the container
// locked at the moment does it himself.
func (c *Container) mended() (State, error) {
	lock, err := statefile.Try(c.path(lockFile))
	if errors.Is(err, os.ErrNotExist) {
		return State{}, &NotFoundError{c.Config.ID}
	}
	if err != nil {
		return c.seen()
	}
	l := &Locked{c, lock}
	defer l.Unlock()
	if !c.left() {
		return c.seen()
	}
	s, err := c.readState()
	if err != nil {
		return s, err
	}
	if err := c.store.mend(l, s); err != nil {
		s = c.lost(s)
		s.Error += ", and what it left cannot be removed: " + err.Error()
		return s, nil
	}
	return l.settle(s)
}

// settle writes that a container has ended whose rest is cleaned up now.
// ErrNotExist: it was removed with it.
func (l *Locked) settle(s State) (State, error) {
	if s.Alive() {
		s = l.lost(s)
		if err := l.SetState(s); err != nil {
			return s, err
		}
	}
	err := os.Truncate(l.path(supervisorFile), 0)
	if errors.Is(err, os.ErrNotExist) {
		err = &NotFoundError{l.Config.ID}
	}
	return s, err
}
