package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/cgroup"
	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/spec"
	"github.com/davit-containers/davit/libcontainer/stage"
	"github.com/davit-containers/davit/libcontainer/state"
)

// Container is one container of a Runtime.
type Container struct {
	runtime *Runtime
	dir     *state.Dir
	state   *state.State
	spec    *specs.Spec     // nil until it is needed
	cgroup  *cgroup.Manager // nil until it is needed
	pidfd   *os.File        // of the container's process where this process created it
	starter *conversation   // with a stage that this process created and is to start
	clock   *stepClock      // of that stage, where the creation is traced
}

// Status is a container's, as the specification names it; paused comes from
// the cgroup.
// Spec: runtime.md#state
type Status string

// The statuses.
const (
	Creating Status = "creating"
	Created  Status = "created"
	Running  Status = "running"
	Paused   Status = "paused"
	Stopped  Status = "stopped"
)

// Load finds a container. ErrNotExist: there is none; ErrIncomplete: nothing
// usable is known of it.
func (r *Runtime) Load(id string) (*Container, error) {
	if err := state.CheckID(id); err != nil {
		return nil, err
	}
	span := r.Trace.Start("reading the state")
	dir, s, err := state.Open(r.Root, id)
	span.End(err)
	if err != nil {
		if dir != nil {
			dir.Close()
		}
		return nil, notFound(id, err)
	}
	return &Container{runtime: r, dir: dir, state: s}, nil
}

// notFound says which container was looked for, and what to do where it is
// half there.
func notFound(id string, err error) error {
	err = fmt.Errorf("finding container %s: %w", id, err)
	if errors.Is(err, ErrIncomplete) {
		return fmt.Errorf("%w [it is being created or removed, or that was interrupted: then delete --force removes it]", err)
	}
	return err
}

// lock takes the container's lock, and reads the state that its last holder left.
func (c *Container) lock() error {
	if err := c.dir.Lock(); err != nil {
		return err
	}
	err := c.reload()
	if err != nil {
		c.dir.Unlock()
	}
	return err
}

// reload forgets what was read before the lock was taken.
func (c *Container) reload() error {
	s, err := c.dir.Load()
	if err != nil {
		return err
	}
	c.state, c.spec, c.cgroup = s, nil, nil
	return nil
}

// Close releases what this process holds of the container, which goes on.
func (c *Container) Close() error {
	if c.pidfd != nil {
		c.pidfd.Close()
	}
	if c.starter != nil {
		c.starter.control.Close()
	}
	c.clock.close()
	return c.dir.Close()
}

// ID is the container's id.
func (c *Container) ID() string { return c.state.ID }

// Pid is the container's process on the host; 0 before there is one.
func (c *Container) Pid() int { return c.state.Pid }

// Pidfd is a pidfd of the container's process, which is ready to be read when
// that has ended; nil unless this process created the container. It belongs to
// the Container: the caller does not close it.
func (c *Container) Pidfd() *os.File { return c.pidfd }

// Status asks the kernel what the container's process does; the state file
// only says which process that is.
func (c *Container) Status() (Status, error) {
	pid, start := c.state.Pid, c.state.PidStart
	if c.state.Phase == state.Creating {
		pid, start = c.state.CreatorPid, c.state.CreatorStart
	}
	stat, err := sys.ProcStat(pid)
	gone := errors.Is(err, unix.ESRCH)
	switch {
	case err != nil && !gone:
		return "", fmt.Errorf("reading the state of process %d: %w", pid, err)
	case gone || stat.StartTime != start || stat.State == 'Z' || stat.State == 'X':
		return Stopped, nil
	case c.state.Phase == state.Creating:
		return Creating, nil
	case isStage(pid):
		return c.orPaused(Created)
	}
	return c.orPaused(Running)
}

// orPaused is Paused where the container stands still, and otherwise what it
// would do.
func (c *Container) orPaused(s Status) (Status, error) {
	m, err := c.manager()
	if err != nil {
		return "", err
	}
	paused, err := m.Paused()
	if err != nil {
		return "", err
	}
	if paused {
		return Paused, nil
	}
	return s, nil
}

// isStage tells whether a process still executes the stage. The name of its
// program says so beyond doubt; who may not read that must believe the
// process's own name.
func isStage(pid int) bool {
	dir := "/proc/" + strconv.Itoa(pid)
	program, err := os.Readlink(dir + "/exe")
	if err == nil && strings.HasPrefix(program, "/memfd:"+stage.Name) {
		return true
	}
	if err == nil && !strings.HasSuffix(program, " (deleted)") {
		return false
	}
	name, err := os.ReadFile(dir + "/comm")
	return err == nil && strings.TrimSpace(string(name)) == stage.Name
}

// config is the configuration with which the container was created, and what
// updates have changed of it.
func (c *Container) config() (*specs.Spec, error) {
	if c.spec == nil {
		s, err := spec.Decode(c.state.Config)
		if err != nil {
			return nil, fmt.Errorf("reading the state of container %s: %w", c.state.ID, err)
		}
		if err := c.applyUpdates(s); err != nil {
			return nil, err
		}
		c.addTimeNamespace(s)
		c.spec = s
	}
	return c.spec, nil
}

// addTimeNamespace adds what restoring gave the container.
func (c *Container) addTimeNamespace(s *specs.Spec) {
	if _, has := spec.Namespace(s, specs.TimeNamespace); has || !c.state.TimeNamespace {
		return
	}
	if s.Linux == nil {
		s.Linux = &specs.Linux{}
	}
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
}

// manager is the container's cgroup.
func (c *Container) manager() (*cgroup.Manager, error) {
	if c.cgroup != nil {
		return c.cgroup, nil
	}
	var saved cgroup.Saved
	if err := saved.UnmarshalJSON(c.state.Cgroup); err != nil {
		return nil, fmt.Errorf("reading the state of container %s: its cgroup: %w", c.state.ID, err)
	}
	m, err := cgroup.Open(saved)
	if err != nil {
		return nil, err
	}
	c.cgroup = m
	return m, nil
}

// ownPidNamespace tells whether the end of the container's process is the
// end of all others in the container.
func (c *Container) ownPidNamespace() bool {
	s, err := c.config()
	if err != nil || s.Linux == nil {
		return false
	}
	for _, ns := range s.Linux.Namespaces {
		if ns.Type == specs.PIDNamespace {
			return ns.Path == ""
		}
	}
	return false
}
