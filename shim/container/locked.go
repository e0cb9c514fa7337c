package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/davit-containers/davit/shim/internal/statefile"
)

// Locked is a container that its holder has to itself, but for its supervisor.
// Whoever creates, starts, renames, updates or removes it takes turns so.
type Locked struct {
	*Container
	lock *statefile.Lock
}

// Lock waits until nobody else has the container locked, and reads it anew.
// ErrNotExist: it has been removed meanwhile.
func (c *Container) Lock() (*Locked, error) {
	l, err := statefile.Wait(c.path(lockFile))
	if err != nil {
		return nil, notFound(c.Config.ID, err)
	}
	whole, err := c.store.whole(c.Config.ID)
	if err != nil {
		l.Release()
		return nil, err
	}
	return &Locked{whole, l}, nil
}

// Unlock lets others have it. It may be called more than once.
func (l *Locked) Unlock() { l.lock.Release() }

// Create begins a container: its name, and a directory with its configuration. It
// stays hidden and locked until [Locked.Ready]. An ID, a name and a time are made
// for those that are not set.
//
// ErrExist: another container has the name.
func (s *Store) Create(config Config) (*Locked, error) {
	given := config.Name != ""
	if given {
		if err := CheckName(config.Name); err != nil {
			return nil, err
		}
	}
	if config.ID == "" {
		config.ID = NewID()
	}
	l, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer l.Release()
	for {
		if !given {
			config.Name = newName()
		}
		c, err := s.create(config)
		if given || !errors.Is(err, ErrExist) {
			return c, err
		}
	}
}

// create makes the directory, locks it, and writes what it is.
func (s *Store) create(config Config) (*Locked, error) {
	if err := s.free(config.Name); err != nil {
		return nil, err
	}
	c := &Container{config, s}
	if err := os.Mkdir(c.path(), 0o711); err != nil {
		return nil, fmt.Errorf("creating container: %w", err)
	}
	lock, err := statefile.Acquire(c.path(lockFile))
	if err != nil {
		return nil, fmt.Errorf("creating container: %w", err)
	}
	l := &Locked{c, lock}
	err = errors.Join(os.Chmod(c.path(), 0o711), s.link(config.Name, config.ID))
	if err == nil {
		err = c.begin()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("creating container: %w", err), l.forget())
	}
	return l, nil
}

// begin writes the configuration before anything else is made. That it is on disk
// is seen to by Ready. The supervisor's file is made here alone: in a directory that
// is being removed nobody makes another.
func (c *Container) begin() error {
	data, err := json.Marshal(c.Config)
	if err != nil {
		return err
	}
	if err := statefile.Replace(c.path(configFile), data); err != nil {
		return err
	}
	return os.WriteFile(c.path(supervisorFile), nil, 0o600)
}

// free tells whether a name can be taken; a link that is left over gives way.
func (s *Store) free(name string) error {
	id, err := os.Readlink(s.path(namesDir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && isID(id) {
		c := s.container(id)
		if c.Reload() == nil && c.Config.Name == name {
			return &TakenError{name, id}
		}
	}
	return os.Remove(s.path(namesDir, name))
}

func (s *Store) link(name, id string) error { return os.Symlink(id, s.path(namesDir, name)) }

// unlink takes a name from a container, if it has it.
func (s *Store) unlink(name, id string) error {
	if holder, err := os.Readlink(s.path(namesDir, name)); err != nil || holder != id {
		return nil
	}
	return os.Remove(s.path(namesDir, name))
}

// Ready ends the container's making, with the configuration as it is now: it is
// whole, created, and seen by all.
func (l *Locked) Ready() error {
	if err := l.writeConfig(); err != nil {
		return err
	}
	return l.writeState(State{Status: Created})
}

// Change changes the configuration, but for the ID and the name.
func (l *Locked) Change(change func(*Config)) error {
	before := l.Config
	change(&l.Config)
	l.Config.ID, l.Config.Name = before.ID, before.Name
	if err := l.writeConfig(); err != nil {
		l.Config = before
		return err
	}
	return nil
}

// Rename gives the container another name. ErrExist: it is another's.
func (l *Locked) Rename(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	names, err := l.store.lock()
	if err != nil {
		return err
	}
	defer names.Release()
	if err := l.store.free(name); err != nil {
		return err
	}
	if err := l.store.link(name, l.Config.ID); err != nil {
		return err
	}
	old := l.Config.Name
	l.Config.Name = name
	if err := l.writeConfig(); err != nil {
		l.Config.Name = old
		return errors.Join(err, l.store.unlink(name, l.Config.ID))
	}
	return l.store.unlink(old, l.Config.ID)
}

// Hide begins the container's removal: nobody sees it from then on. Its parts are
// for the caller to remove, then Remove is the end. A removal that ends in
// between goes on by [Store.Leftovers].
func (l *Locked) Hide() error {
	err := os.Remove(l.path(stateFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Remove forgets the container with all that is left in its directories, which
// have nothing mounted any more, and unlocks it.
func (l *Locked) Remove() error {
	defer l.Unlock()
	if err := l.Hide(); err != nil {
		return err
	}
	names, err := l.store.lock()
	if err != nil {
		return err
	}
	defer names.Release()
	return l.forget()
}

// forget removes what there is, the configuration almost last: it says what else
// there may be.
func (l *Locked) forget() error {
	entries, err := os.ReadDir(l.path())
	if err != nil {
		return fmt.Errorf("removing container %s: %w", l.Config.ID, err)
	}
	errs := []error{os.RemoveAll(l.Run())}
	for _, e := range entries {
		if e.Name() != configFile && e.Name() != lockFile {
			errs = append(errs, os.RemoveAll(l.path(e.Name())))
		}
	}
	errs = append(errs, l.store.unlink(l.Config.Name, l.Config.ID))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("removing container %s: %w", l.Config.ID, err)
	}
	l.store.TidyRun()
	for _, last := range []string{configFile, lockFile, ""} {
		if err := os.Remove(l.path(last)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing container %s: %w", l.Config.ID, err)
		}
	}
	return nil
}
