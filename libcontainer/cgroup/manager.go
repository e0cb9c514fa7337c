package cgroup

import (
	"errors"
	"fmt"
	"maps"
	"os"

	"github.com/opencontainers/cgroups"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Options describe the cgroup of a new container.
type Options struct {
	// ID is the container's; it names the cgroup where Spec does not.
	ID string
	// Driver is who makes the cgroup; empty is [Cgroupfs].
	Driver Driver
	// Rootless says that the caller may lack rights on cgroups. See [ErrRootless].
	Rootless bool
	// Spec is the container's configuration: linux.cgroupsPath,
	// linux.resources, org.systemd.property.* annotations, and what decides
	// about the ownership of the cgroup.
	Spec *specs.Spec
}

// A Manager is the cgroup of one container. Its methods are not meant to be
// called from several goroutines at once.
type Manager struct {
	saved    Saved
	warnings []string
	backend  backend
	opened   bool              // by Open: the cgroup is made, or was
	denied   bool              // a rootless caller got no cgroup, and needs none
	stays    map[string]string // as Paths, where a rootless caller gets no cgroup
}

// backend is what differs between the drivers and the cgroup versions.
type backend interface {
	// joins is as Manager.Joins.
	joins() Join
	// create makes the cgroup, where that needs no process.
	create() error
	// attach puts a process into the cgroup.
	attach(pid int) error
	// limit writes the container's resources.
	limit() error
	// set writes changed resources, without devices.
	set(*cgroups.Resources) error
	// directory is the descriptor for CLONE_INTO_CGROUP.
	directory() (*os.File, error)
	// close closes that descriptor.
	close() error
	// stop ends what is not a directory: the systemd unit.
	stop() error
}

// New returns the manager of a new container's cgroup. It reads from the
// cgroup filesystem and writes nothing. It refuses a cgroup that has
// processes in it or is frozen, and limits that this machine's cgroup version
// cannot express.
//
// Spec: config-linux.md#cgroups-path
func New(o Options) (*Manager, error) {
	driver, err := ParseDriver(string(o.Driver))
	if err != nil {
		return nil, err
	}
	v := hostVersion()
	limits, warnings, err := convert(o.Spec, v)
	if err != nil {
		return nil, err
	}
	if driver == Disabled {
		return newDisabled(limits)
	}
	saved, err := locate(o, driver, v)
	if err != nil {
		return nil, err
	}
	stays, err := saved.reach()
	if err != nil {
		return nil, err
	}
	if len(saved.Paths) == 0 {
		m, err := newDenied(limits)
		if m != nil {
			m.stays = stays
		}
		return m, err
	}
	if err := checkControllers(limits, saved); err != nil {
		return nil, err
	}
	if err := saved.checkUnused(); err != nil {
		return nil, err
	}
	m := &Manager{saved: saved, warnings: warnings, stays: stays}
	m.backend, err = newBackend(saved, o.Spec, limits)
	return m, err
}

// Open returns the manager that [Manager.Saved] described, for a later
// process. It does no I/O. It knows no resources: Limit then does nothing.
func Open(s Saved) (*Manager, error) {
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("opening the cgroup of a saved state: %w", err)
	}
	b, err := newBackend(s, nil, nil)
	return &Manager{saved: s, backend: b, opened: true}, err
}

// newBackend returns the backend for s. Without limits it is one for a cgroup
// that another process has made.
func newBackend(s Saved, spec *specs.Spec, limits *cgroups.Resources) (backend, error) {
	switch {
	case s.Driver == Disabled:
		return disabled{}, nil
	case s.Driver == Systemd:
		return newUnit(s, spec, limits)
	case s.Unified:
		return newUnified(s, spec, limits), nil
	}
	return newLegacy(s, limits), nil
}

// Warnings returns what the configuration asks for and this machine's cgroup
// version ignores, one line each, for the caller's log.
func (m *Manager) Warnings() []string { return m.warnings }

// Saved returns what the state file keeps, before the cgroup exists.
func (m *Manager) Saved() Saved { return m.saved }

// Joins returns how a process is to join the cgroup; after Create has returned
// [ErrRootless], not at all. A cgroup that was there before New is joined by
// Attach, because of what the kernel may do to a process that is cloned into it.
//
// Linux 6.18 kills a process at its birth that is cloned into a cgroup in which
// cgroup.kill has ever been written, by a process of one in which it has not
// (and the other way round).
func (m *Manager) Joins() Join {
	if m.saved.Driver == Disabled || m.denied {
		return JoinNone
	}
	return m.backend.joins()
}

// Create makes the cgroup, with its controllers and its owner, on pure v2 with
// the cgroupfs driver; elsewhere Attach does. If it fails it leaves no new
// cgroup; and if that is because another container has come first, the manager
// lets go of it, so that KillAll and Delete leave it alone. The error is
// [ErrRootless] as described there.
func (m *Manager) Create() error { return m.applied(m.backend.create()) }

// Attach puts a process into the cgroup, and makes it first unless Create has.
// With [JoinByClone] it is the fallback for a host that refuses
// CLONE_INTO_CGROUP. The error is [ErrRootless] as described there.
func (m *Manager) Attach(pid int) error {
	err := m.backend.attach(pid)
	if err != nil && m.opened && !isRootless(err) {
		return fmt.Errorf("adding pid %d to cgroups: %w", pid, cause(err))
	}
	return m.applied(err)
}

// applied notes that a rootless caller got no cgroup, and words other errors.
func (m *Manager) applied(err error) error {
	if err == nil {
		return nil
	}
	if isRootless(err) {
		m.denied = m.saved.Unified
		return ErrRootless
	}
	if errors.Is(err, errInUse) {
		m.saved, m.backend = Saved{Driver: Disabled}, disabled{}
	}
	// Compat(runc): its integration tests look for this phrase.
	err = fmt.Errorf("unable to apply cgroup configuration: %w", err)
	if errors.Is(err, unix.EROFS) {
		return fmt.Errorf("%w [cgroups are mounted read-only here; --cgroup-manager disabled does without one]", err)
	}
	return err
}

// Make makes the cgroup, with [JoinBySelf], and puts nobody into it. Elsewhere
// Create or Attach does.
func (m *Manager) Make() error {
	l, ok := m.backend.(*legacy)
	if !ok {
		return nil
	}
	return m.applied(l.make())
}

// Entrances returns the files through which a process enters the cgroup by
// itself, with [JoinBySelf].
func (m *Manager) Entrances() []Entrance {
	if m.Joins() != JoinBySelf {
		return nil
	}
	return entrances(m.saved.Paths)
}

// File returns the cgroup's directory, opened with O_PATH, for
// CLONE_INTO_CGROUP. It belongs to the Manager: the caller does not close it.
// With [JoinBySelf] it is nil where there is no v2 hierarchy.
func (m *Manager) File() (*os.File, error) { return m.backend.directory() }

// Limit writes the configuration's resources, devices included. The process
// may be in the cgroup already; it must not run the container's program yet.
//
// Spec: config-linux.md#control-groups
func (m *Manager) Limit() error {
	if m.denied {
		return nil
	}
	return m.backend.limit()
}

// Close closes the descriptor that File returned.
func (m *Manager) Close() error { return m.backend.close() }

// Paths returns the absolute path of the cgroup on the host in each hierarchy,
// by v1 controller; the empty name is the v2 hierarchy.
func (m *Manager) Paths() map[string]string { return maps.Clone(m.saved.Paths) }

// Places returns Paths, and for hierarchies in which a rootless container gets
// no cgroup those where its processes stay.
func (m *Manager) Places() map[string]string {
	places := maps.Clone(m.stays)
	if places == nil {
		return m.Paths()
	}
	maps.Copy(places, m.saved.Paths)
	return places
}
