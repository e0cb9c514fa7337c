package cgroup

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fs"
)

// freezeTime bounds the wait for a cgroup to freeze. A process in an
// uninterruptible sleep can hold it up.
const freezeTime = 10 * time.Second

// errNoCgroup says that a container has no cgroup: none was asked for, or none
// was to be had.
var errNoCgroup = errors.New("the container has no cgroup")

// errNoFreezer says that there is nothing to freeze with.
var errNoFreezer = errors.New("the freezer controller is not available")

// Freeze stops all processes of the cgroup and returns when they are stopped.
// If that takes too long they run on, and the error says so.
func (m *Manager) Freeze() error {
	if !m.Exists() {
		return fmt.Errorf("pausing: %w", errNoCgroup)
	}
	if err := m.saved.freeze(); err != nil {
		_ = m.saved.thaw()
		return fmt.Errorf("freezing cgroup %s: %w", relative(m.saved.principal()), cause(err))
	}
	return nil
}

// Thaw lets the processes of the cgroup run on.
func (m *Manager) Thaw() error {
	if err := m.saved.thaw(); err != nil {
		return fmt.Errorf("thawing cgroup %s: %w", relative(m.saved.principal()), cause(err))
	}
	return nil
}

// Paused reports whether Freeze has been called on this cgroup, by whomever; a
// parent that is frozen does not count.
func (m *Manager) Paused() (bool, error) {
	paused, err := m.saved.paused()
	if err != nil {
		return false, fmt.Errorf("reading whether cgroup %s is frozen: %w", relative(m.saved.principal()), cause(err))
	}
	return paused, nil
}

func (s Saved) freeze() error {
	if s.Unified {
		path := s.Paths[""]
		if err := writeFile(path+"/cgroup.freeze", "1"); err != nil {
			return err
		}
		return waitFor(path, "frozen", "1", time.Now().Add(freezeTime))
	}
	path, ok := s.Paths["freezer"]
	if !ok {
		return errNoFreezer
	}
	// v1 gives no event, and a cgroup in which processes are forked may never
	// freeze: the library tries a bounded number of times.
	return new(fs.FreezerGroup).Set(path, &cgroups.Resources{Freezer: cgroups.Frozen})
}

func (s Saved) thaw() error {
	if s.Unified {
		return writeFile(s.Paths[""]+"/cgroup.freeze", "0")
	}
	path, ok := s.Paths["freezer"]
	if !ok {
		return errNoFreezer
	}
	return writeFile(path+"/freezer.state", "THAWED")
}

// paused reports whether the cgroup itself is, or is being, frozen.
func (s Saved) paused() (bool, error) {
	file := s.Paths[""] + "/cgroup.freeze"
	if !s.Unified {
		path, ok := s.Paths["freezer"]
		if !ok {
			return false, nil
		}
		file = path + "/freezer.self_freezing"
	}
	text, err := readFile(file)
	if err != nil {
		if gone(err) {
			return false, nil
		}
		return false, err
	}
	return strings.TrimSpace(text) == "1", nil
}

// Freezer is the directory of the cgroup in the hierarchy that can freeze it;
// "" where there is none.
func (m *Manager) Freezer() string {
	if m.saved.Unified {
		return m.saved.Paths[""]
	}
	return m.saved.Paths["freezer"]
}
