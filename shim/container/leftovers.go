package container

import (
	"errors"
	"os"

	"github.com/davit-containers/davit/shim/internal/statefile"
)

// Leftovers are the containers that processes which were killed left unfinished,
// when they made or removed them: locked, for the caller to remove. Those whose
// maker or remover lives are not among them.
func (s *Store) Leftovers() ([]*Locked, error) {
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	var left []*Locked
	for _, id := range ids {
		c := s.container(id)
		if _, err := os.Lstat(c.path(stateFile)); err == nil {
			continue
		}
		l, err := s.leftover(c)
		if err != nil {
			return left, err
		}
		if l != nil {
			left = append(left, l)
		}
	}
	return left, nil
}

// TidyNames removes the names that killed processes left, which no container has.
func (s *Store) TidyNames() error {
	l, err := s.lock()
	if err != nil {
		return err
	}
	defer l.Release()
	return s.tidyNames()
}

// tidyNames is TidyNames with the names locked.
func (s *Store) tidyNames() error {
	entries, err := os.ReadDir(s.path(namesDir))
	errs := []error{err}
	for _, e := range entries {
		if err := s.free(e.Name()); !errors.Is(err, ErrExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// leftover locks what is left of a container; nothing where somebody has it. With
// the names locked nobody is about to.
func (s *Store) leftover(c *Container) (*Locked, error) {
	names, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer names.Release()
	lock, err := statefile.Try(c.path(lockFile))
	if errors.Is(err, os.ErrNotExist) {
		// The directory was made, and nothing in it; or only it is left to remove.
		err := os.Remove(c.path())
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return nil, err
	}
	if errors.Is(err, statefile.ErrLocked) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l := &Locked{c, lock}
	if _, err := os.Lstat(c.path(stateFile)); err == nil {
		l.Unlock() // it was made meanwhile
		return nil, nil
	}
	if err := c.Reload(); err != nil {
		// Without a configuration it has nothing yet but its name, or nothing any more.
		defer l.Unlock()
		return nil, errors.Join(l.forget(), s.tidyNames())
	}
	return l, nil
}
