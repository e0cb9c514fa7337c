package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/seccomp/compile"
	"github.com/davit-containers/davit/libcontainer/state"
)

// LeftoverKind says what a Leftover is.
type LeftoverKind string

// The kinds.
const (
	LeftoverState  LeftoverKind = "state"  // a container's directory, with its notify socket
	LeftoverCgroup LeftoverKind = "cgroup" // a container's cgroup, in one hierarchy
	LeftoverMount  LeftoverKind = "mount"  // a root file system that was mounted on the host
	LeftoverFilter LeftoverKind = "filter" // a compiled seccomp filter
)

// Leftover is something of a Runtime that no container owns.
type Leftover struct {
	Kind      LeftoverKind `json:"kind"`
	Container string       `json:"container,omitempty"` // that was being made or removed; "" for a filter
	Path      string       `json:"path"`                // on the host
	Reason    string       `json:"reason"`              // why nobody owns it
}

// Leftovers lists what is there and belongs to no container: what creators and
// deleters left who were killed, and filters that no container uses. What a
// container owns in any status, stopped included, is not among it, nor what a
// living process is making. What cannot be looked at is the error; the list is
// of the rest. A root that does not exist is an error that Is fs.ErrNotExist.
func (r *Runtime) Leftovers() ([]Leftover, error) {
	return r.collect(func(*abandoned) error { return nil }, func(string) error { return nil })
}

// RemoveLeftovers removes what Leftovers lists, and lists what it removed.
func (r *Runtime) RemoveLeftovers() ([]Leftover, error) {
	return r.collect((*abandoned).remove, func(path string) error { return compile.Discard(path) })
}

// collect goes through the containers, then through the filters that none of
// those it knows uses.
func (r *Runtime) collect(remove func(*abandoned) error, discard func(path string) error) ([]Leftover, error) {
	ids, err := r.IDs()
	if err != nil {
		return nil, err
	}
	c := &collection{runtime: r, used: map[string]string{}}
	for _, id := range ids {
		c.look(id)
	}
	for _, a := range c.abandoned {
		if err := c.checkOwn(a); err != nil {
			c.failures = append(c.failures, err)
		} else {
			c.keep(a.leftovers(), remove(a))
		}
		a.dir.Close()
	}
	c.filters(discard)
	return c.found, errors.Join(c.failures...)
}

// collection is one walk through a Runtime.
type collection struct {
	runtime   *Runtime
	abandoned []*abandoned
	used      map[string]string     // cgroups of containers that are owned: path to id
	profiles  []*specs.LinuxSeccomp // of the same
	found     []Leftover
	failures  []error
	unknown   string // a container that is owned, and whose cgroup is not known
}

// abandoned is a container that is half made or half removed, and whose
// directory is locked by this process: nobody else can be at it.
type abandoned struct {
	id        string
	dir       *state.Dir
	container *Container // nil where nothing is known of it
	reason    string
}

// checkOwn makes sure that no owned container is in the cgroup, which would be
// killed: a creator that was killed may have been about to find it in use.
func (c *collection) checkOwn(a *abandoned) error {
	if a.container == nil {
		return nil
	}
	if c.unknown != "" {
		return fmt.Errorf("leaving container %s: the cgroup of container %s may be in its own", a.id, c.unknown)
	}
	m, err := a.container.manager()
	if err != nil {
		return err
	}
	for _, own := range m.Paths() {
		for path, id := range c.used {
			if path == own || strings.HasPrefix(path, own+"/") {
				return fmt.Errorf("leaving container %s: container %s is in its cgroup %s", a.id, id, own)
			}
		}
	}
	return nil
}

// keep notes what was found, unless its removal failed.
func (c *collection) keep(found []Leftover, err error) {
	if err != nil {
		c.failures = append(c.failures, err)
		return
	}
	c.found = append(c.found, found...)
}

// look sorts one container.
func (c *collection) look(id string) {
	dir, s, err := state.Open(c.runtime.Root, id)
	switch {
	case errors.Is(err, ErrNotExist):
		return
	case err != nil && !errors.Is(err, ErrIncomplete):
		c.failures = append(c.failures, fmt.Errorf("reading the state of container %s: %w", id, err))
		return
	}
	a, err := c.runtime.takeAbandoned(id, dir, s)
	if err != nil {
		c.failures = append(c.failures, fmt.Errorf("looking at container %s: %w", id, err))
	}
	if a != nil {
		c.abandoned = append(c.abandoned, a)
		return
	}
	c.use(id, s)
	dir.Close()
}

// use notes what a container owns.
func (c *collection) use(id string, s *state.State) {
	if s == nil {
		return
	}
	container := &Container{runtime: c.runtime, state: s}
	m, err := container.manager()
	if err != nil {
		c.unknown = id
		c.failures = append(c.failures, fmt.Errorf("looking at container %s: %w", id, err))
		return
	}
	for path := range maps.Values(m.Paths()) {
		c.used[path] = id
	}
	config, err := container.config()
	if err != nil {
		c.failures = append(c.failures, fmt.Errorf("looking at container %s: %w", id, err))
		return
	}
	if config.Linux != nil {
		c.profiles = append(c.profiles, config.Linux.Seccomp)
	}
}

// takeAbandoned locks a container's directory if nobody owns it; nil where
// someone does. A creator holds the lock until its container is whole.
func (r *Runtime) takeAbandoned(id string, dir *state.Dir, s *state.State) (*abandoned, error) {
	if s != nil && s.Phase != state.Creating {
		return nil, nil
	}
	locked, err := dir.TryLock()
	if errors.Is(err, ErrNotExist) {
		return nil, nil
	}
	if err != nil || !locked {
		return nil, err
	}
	s, err = dir.Load() // as it is now that nobody can change it
	if errors.Is(err, ErrIncomplete) {
		return &abandoned{id: id, dir: dir, reason: "its creation or removal was interrupted"}, nil
	}
	if err != nil || s.Phase != state.Creating {
		return nil, err
	}
	container := &Container{runtime: r, dir: dir, state: s}
	status, err := container.Status()
	if err != nil || status != Stopped {
		return nil, err
	}
	reason := fmt.Sprintf("process %d, which created it, is gone", s.CreatorPid)
	return &abandoned{id, dir, container, reason}, nil
}

// leftovers lists what there is of it, as far as it is known.
func (a *abandoned) leftovers() []Leftover {
	found := []Leftover{{LeftoverState, a.id, a.dir.Path(), a.reason}}
	if a.container == nil {
		return found
	}
	if m, err := a.container.manager(); err == nil {
		for _, path := range slices.Sorted(maps.Values(m.Paths())) {
			if exists(path) {
				found = append(found, Leftover{LeftoverCgroup, a.id, path, a.reason})
			}
		}
	}
	s := a.container.state
	if id, err := sys.MountID(s.Rootfs); err == nil && s.HostMount != 0 && id != s.HostMount {
		found = append(found, Leftover{LeftoverMount, a.id, s.Rootfs, a.reason})
	}
	return found
}

// remove removes it as delete --force would.
func (a *abandoned) remove() error {
	if a.container == nil {
		return a.dir.Remove()
	}
	return a.container.remove()
}

// filters lists the filters that no container uses. Where a container's
// configuration could not be read, there may be more of them than is known.
func (c *collection) filters(discard func(path string) error) {
	if len(c.failures) > 0 {
		return
	}
	paths, err := compile.Unused(c.runtime.cacheDir(), c.profiles)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		c.failures = append(c.failures, err)
	}
	for _, path := range paths {
		c.keep([]Leftover{{LeftoverFilter, "", path, "no container uses it"}}, discard(path))
	}
}
