package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// ErrFrozen says that a process that entered the cgroup would stand still.
var ErrFrozen = errors.New("its cgroup is frozen")

// Guest describes one more process that is to enter a container's cgroup.
type Guest struct {
	// Sub has the cgroups below the container's, by v1 controller; the empty
	// name stands for all hierarchies. Where it is empty, and the container's
	// cgroup takes no processes, that of Init is entered.
	Sub map[string]string
	// Init is the container's first process.
	Init int
}

// An Entry is where in a container's cgroup a guest goes.
type Entry struct {
	manager  *Manager
	guest    Guest
	paths    map[string]string // as Saved.Paths, with the guest's below
	fallback string            // the cgroup of Init, v2 only
}

// Enter finds the guest's place. It makes nothing.
// Compat(runc): the texts of its errors.
func (m *Manager) Enter(g Guest) (*Entry, error) {
	e := &Entry{manager: m, guest: g, paths: m.Paths()}
	if m.saved.Driver == Disabled {
		e.paths = nil
		return e, nil
	}
	for controller, sub := range g.Sub {
		if err := e.descend(controller, sub); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (e *Entry) descend(controller, sub string) error {
	if controller == "" {
		for name, base := range e.paths {
			path, err := below(base, sub)
			if err != nil {
				return err
			}
			e.paths[name] = path
		}
		return nil
	}
	base, ok := e.paths[controller]
	if !ok {
		return fmt.Errorf("unknown controller %s in --cgroup", controller)
	}
	path, err := below(base, sub)
	e.paths[controller] = path
	return err
}

// below is a path in a cgroup, or the cgroup itself.
func below(base, sub string) (string, error) {
	path := filepath.Join(base, sub)
	if path != base && !strings.HasPrefix(path, base+"/") || strings.ContainsAny(sub, "\x00\n") {
		return "", fmt.Errorf("bad sub cgroup path: %s", sub)
	}
	return path, nil
}

// Directory is where a process can be cloned into, with O_PATH; nil where
// there is no v2 hierarchy, or the guest must be attached. It is the caller's
// to close.
func (e *Entry) Directory() (*os.File, error) {
	if e.paths[""] == "" || !e.manager.saved.Unified && e.manager.Joins() != JoinBySelf {
		return nil, nil
	}
	dir, err := openCgroup(e.paths[""])
	if err != nil && e.findFallback() {
		dir, err = openCgroup(e.fallback)
	}
	if err != nil && e.manager.saved.Rootless {
		return nil, nil
	}
	if err != nil { // Compat(runc): its integration tests look for " adding pid "
		return nil, fmt.Errorf("adding pid 0 to cgroup %s: %w", relative(e.paths[""]), cause(err))
	}
	return dir, nil
}

func openCgroup(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// findFallback looks where the container's first process is now: it may have
// moved below the container's cgroup, which then takes no processes itself, or
// away from it.
func (e *Entry) findFallback() bool {
	if !e.manager.saved.Unified || len(e.guest.Sub) > 0 {
		return false
	}
	own, err := cgroups.ParseCgroupFile("/proc/" + strconv.Itoa(e.guest.Init) + "/cgroup")
	if err != nil || own[""] == "" || strings.HasPrefix(own[""], "/..") {
		return false
	}
	e.fallback = filepath.Join(mountpoint, own[""])
	return true
}

// Entrances returns the files through which the guest enters by itself, where
// [JoinBySelf] is the container's way.
func (e *Entry) Entrances() []Entrance { return entrances(e.paths) }

// Attach moves the guest into its place.
func (e *Entry) Attach(pid int) error {
	for _, path := range e.paths {
		err := cgroups.WriteCgroupProc(path, pid)
		if err != nil && e.findFallback() {
			err = cgroups.WriteCgroupProc(e.fallback, pid)
		}
		if err != nil && e.manager.saved.delegated() {
			err = e.manager.backend.attach(pid)
		}
		if err != nil && !e.manager.saved.Rootless {
			return fmt.Errorf("adding pid %d to cgroups: %w", pid, err)
		}
	}
	return nil
}

// delegated tells of a cgroup into which only its user's systemd can move a
// process that comes from elsewhere.
func (s Saved) delegated() bool { return s.Driver == Systemd && s.Rootless && s.Unified }

// CheckThawed gives ErrFrozen where the cgroup, or one above it, is frozen:
// whoever enters it stands still until it is thawed.
func (e *Entry) CheckThawed() error {
	path, file, frozen := e.paths[""], "/cgroup.events", "frozen 1"
	if !e.manager.saved.Unified {
		path, file, frozen = e.paths["freezer"], "/freezer.state", "FR"
	}
	if path == "" {
		return nil
	}
	text, err := readFile(path + file)
	if err == nil && strings.Contains(text, frozen) {
		return fmt.Errorf("entering cgroup %s: %w", relative(path), ErrFrozen)
	}
	return nil
}
