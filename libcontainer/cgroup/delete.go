package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// deleteTime bounds the wait for killed processes to be gone.
const deleteTime = 10 * time.Second

// Delete removes the cgroup with all cgroups below it, and the parents that did
// not exist before and are empty now; it stops the systemd unit. It waits for
// processes that are dying and kills none. What does not exist is no error, nor is a
// cgroup that is only half made.
func (m *Manager) Delete() error {
	_ = m.Close()
	first := m.backend.stop()
	d := newDrain(deleteTime)
	for _, dir := range m.saved.directories() {
		if err := d.remove(dir); err != nil && first == nil {
			first = fmt.Errorf("removing cgroup %s: %w", relative(dir), err)
		}
	}
	m.saved.removeParents()
	return first
}

// RemoveEmpty removes a cgroup, by its absolute path in a hierarchy, where it has no
// processes and no cgroups, and this process may. It is for one that many containers
// have as their parent, of which the last does not know who made it. A container that
// is made there meanwhile gets it anew.
func RemoveEmpty(path string) error {
	inner, err := innerPath(path, "")
	if err != nil {
		return err
	}
	paths, err := pathsOf(inner, hostVersion(), true)
	if err != nil {
		return err
	}
	for _, dir := range (Saved{Paths: paths}).directories() {
		_ = rmdir(dir)
	}
	return nil
}

// remove removes the cgroup at path: by one call, unless there are cgroups
// below it or processes in it.
func (d *drain) remove(path string) error {
	for {
		err := rmdir(path)
		if err == nil {
			return nil
		}
		if err != unix.EBUSY {
			return err
		}
		if isRoot(path) {
			return errRoot
		}
		below, err := d.removeBelow(path)
		if err != nil {
			return err
		}
		if below {
			continue
		}
		if err := d.wait(path); err != nil {
			return fmt.Errorf("%w [%s]", unix.EBUSY, holders(path))
		}
	}
}

// removeBelow removes the cgroups below path, and reports whether there were any.
func (d *drain) removeBelow(path string) (bool, error) {
	entries, err := os.ReadDir(path)
	if err != nil && !gone(err) {
		return false, cause(err)
	}
	found := false
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		found = true
		if err := d.remove(filepath.Join(path, entry.Name())); err != nil {
			return true, fmt.Errorf("%s: %w", entry.Name(), err)
		}
	}
	return found, nil
}

// rmdir removes one directory. A filesystem that is mounted read-only gives
// EROFS for what does not exist, too.
func rmdir(path string) error {
	for {
		err := unix.Rmdir(path)
		switch err {
		case unix.EINTR:
			continue
		case unix.ENOENT, unix.ENODEV:
			return nil
		case unix.EROFS, unix.EACCES, unix.EPERM:
			if unix.Access(path, unix.F_OK) == unix.ENOENT {
				return nil
			}
		}
		return err
	}
}
