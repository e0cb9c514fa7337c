package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Saved is what a state file keeps of a cgroup. It is written before the
// cgroup exists, and suffices to kill what is in it and to remove it.
type Saved struct {
	Driver Driver
	// Unified says that cgroup v2 is the only hierarchy.
	Unified bool
	// Rootless is as in [Options].
	Rootless bool
	// Placed says that the configuration named the place (linux.cgroupsPath).
	Placed bool
	// Paths are as [Manager.Paths] returns them.
	Paths map[string]string
	// Parents are the parents of Paths that did not exist before, the deepest
	// first. They are removed with the cgroup unless others use them by then.
	Parents []string
	// Unit is the systemd unit, with that driver.
	Unit Unit
}

// Unit names a systemd unit: PREFIX-NAME.scope in a slice, or NAME itself
// where it ends in ".slice".
type Unit struct {
	Slice  string
	Prefix string
	Name   string
}

// errInUse says that a cgroup is another container's.
var errInUse = errors.New("container's cgroup is not empty")

// check refuses values that no New has returned, so that a damaged state file
// cannot make Delete remove something else.
func (s Saved) check() error {
	if _, err := ParseDriver(string(s.Driver)); err != nil {
		return err
	}
	if s.Driver == "" {
		return errors.New("the driver is missing")
	}
	if len(s.Paths) == 0 && s.Driver != Disabled {
		return errors.New("the paths are missing")
	}
	for name, path := range s.Paths {
		if !plausible(path) {
			return fmt.Errorf("invalid path %q of hierarchy %q", path, name)
		}
	}
	for _, path := range s.Parents {
		if !plausible(path) {
			return fmt.Errorf("invalid parent %q", path)
		}
	}
	if s.Driver == Systemd && s.Unit.Name == "" {
		return errors.New("the systemd unit is missing")
	}
	return nil
}

// plausible reports whether path may be that of a cgroup, and not of the root
// of a hierarchy.
func plausible(path string) bool {
	return filepath.IsAbs(path) && filepath.Clean(path) == path && path != mountpoint && path != "/"
}

// missingParents returns the parents of the directories that do not exist, the
// deepest first in each hierarchy.
func (s Saved) missingParents() []string {
	var missing []string
	for _, dir := range s.directories() {
		for path := filepath.Dir(dir); plausible(path) && unix.Access(path, unix.F_OK) == unix.ENOENT; path = filepath.Dir(path) {
			missing = append(missing, path)
		}
	}
	return missing
}

// removeParents removes the parents that are ours, as far as they are empty.
func (s Saved) removeParents() {
	for _, path := range s.Parents {
		_ = rmdir(path)
	}
}

// directories returns the different paths in a fixed order, v2 first.
func (s Saved) directories() []string {
	dirs := make([]string, 0, len(s.Paths))
	for name, path := range s.Paths {
		if name != "" {
			dirs = append(dirs, path)
		}
	}
	slices.Sort(dirs)
	if path, ok := s.Paths[""]; ok {
		dirs = append([]string{path}, dirs...)
	}
	return slices.Compact(dirs)
}

// checkUnused refuses a cgroup that exists and has processes or is frozen: it
// is another container's, whose processes would be killed with this one's.
func (s Saved) checkUnused() error {
	path := s.principal()
	// Compat(runc): its integration tests look for both phrases.
	if unix.Access(path, unix.F_OK) == nil {
		pids, err := pidsBelow(path)
		if err != nil {
			return err
		}
		if len(pids) > 0 {
			return fmt.Errorf("%w: %d process(es) found in %s", errInUse, len(pids), path)
		}
	} else if s.Unified {
		return nil
	}
	if frozen, err := s.paused(); err == nil && frozen { // on v1 it may exist where the rest does not
		return fmt.Errorf("container's cgroup unexpectedly frozen: %s", path)
	}
	return nil
}

// principal returns the path whose processes are the container's. On v1 that
// is one hierarchy of many, which a container cannot do without.
func (s Saved) principal() string {
	if s.Unified {
		return s.Paths[""]
	}
	for _, name := range [...]string{"devices", "name=systemd", "freezer"} {
		if path, ok := s.Paths[name]; ok {
			return path
		}
	}
	for _, path := range s.directories() { // of a rootless container
		return path
	}
	return ""
}

// exists reports whether any of the directories is there.
func (s Saved) exists() bool {
	for _, dir := range s.directories() {
		if _, err := os.Lstat(dir); err == nil {
			return true
		}
	}
	return false
}
