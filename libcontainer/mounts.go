package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/plan"
	"github.com/davit-containers/davit/libcontainer/spec"
)

// AddMounts mounts more in the container, which must be created, running or
// paused, in order. The first that fails is the last that is tried: those
// before it stay. They end with the container; its configuration does not
// change. ErrNotRunning: the container has stopped.
// Spec: config.md#mounts
func (c *Container) AddMounts(mounts []specs.Mount) error {
	s, err := c.config()
	if err != nil {
		return err
	}
	if err := spec.ValidateMounts(mounts, s); err != nil {
		return err
	}
	return c.changeMounts(mounts, plan.CompileMount)
}

// RemoveMounts unmounts what is at the mounts' destinations, in order; nothing
// else of them counts. No symbolic link is followed. ErrNotRunning: the
// container has stopped.
func (c *Container) RemoveMounts(mounts []specs.Mount) error {
	return c.changeMounts(mounts, func(m *specs.Mount, s *specs.Spec, f plan.Facts, o plan.Options) (*plan.Plan, error) {
		return plan.CompileUnmount(m.Destination, s, f, o)
	})
}

// compileMount compiles the plan for one mount.
type compileMount func(*specs.Mount, *specs.Spec, plan.Facts, plan.Options) (*plan.Plan, error)

// changeMounts compiles everything before it changes anything.
func (c *Container) changeMounts(mounts []specs.Mount, compile compileMount) error {
	if err := c.checkMountable(); err != nil {
		return err
	}
	s, err := c.config()
	if err != nil {
		return err
	}
	facts := processFacts(nil, s.Linux)
	facts.SharesUserNS = hasUserNS(s.Linux) && sameNS("user", c.state.Pid)
	facts.SharesCgroupNS = sameNS("cgroup", c.state.Pid)
	plans := make([]*plan.Plan, len(mounts))
	for i := range mounts {
		plans[i], err = compile(&mounts[i], s, facts, plan.Options{ID: c.ID(), Bundle: c.state.Bundle, Rootfs: c.state.Rootfs, Clock: c.runtime.Trace != nil})
		if err != nil {
			return err
		}
	}
	for i, p := range plans {
		if err := c.execute(p); err != nil {
			return afterMounts(i, err)
		}
	}
	return nil
}

// checkMountable refuses a container that has no mounts to change.
func (c *Container) checkMountable() error {
	status, err := c.Status()
	switch {
	case err != nil:
		return err
	case status == Stopped:
		return &StatusError{"cannot change the mounts of a stopped container", ErrNotRunning}
	case status == Creating:
		return &StatusError{"cannot change the mounts of a container that is being created", ErrNotRunning}
	}
	return nil
}

// afterMounts adds to a failure what was done before it.
func afterMounts(done int, err error) error {
	switch done {
	case 0:
		return err
	case 1:
		return fmt.Errorf("%w [the mount before it is done]", err)
	}
	return fmt.Errorf("%w [the %d mounts before it are done]", err, done)
}

// mounting is a change to a container's mounts while a stage makes it.
type mounting struct {
	making
	container *Container
	init      *os.File // a pidfd of the container's first process
}

// execute carries out a plan that ends when its steps do. The stage stays out
// of the container's cgroup: a paused container would keep it.
func (c *Container) execute(p *plan.Plan) error {
	m := &mounting{container: c, making: making{
		runtime: c.runtime, doing: "changing the container's mounts", limited: true, plan: p,
	}}
	m.maker = m
	if err := m.prepare(); err != nil {
		return err
	}
	defer m.init.Close()
	defer m.release()
	err := inOrder(c.runtime.Trace, m, []phase[*mounting]{
		{"opening files for the stage", func(m *mounting) error { return m.openFiles() }},
		{"starting the stage", func(m *mounting) error { return m.startStage() }},
	})
	if err != nil {
		return err
	}
	err = c.runtime.Trace.Do("answering the stage", m.talk)
	m.clock.report(c.runtime.Trace)
	m.stage.Control.Close()
	if _, waitErr := sys.PidfdWait(m.stage.Pidfd); waitErr != nil && err == nil {
		err = fmt.Errorf("waiting for the stage: %w", waitErr)
	}
	return errors.Join(err, m.stage.Pidfd.Close())
}

func (m *mounting) prepare() (err error) {
	if m.cgroup, err = m.container.manager(); err != nil {
		return err
	}
	m.init, err = m.container.openInit()
	if errors.Is(err, unix.ESRCH) {
		return &StatusError{"cannot change the mounts of a stopped container", ErrNotRunning}
	}
	return err
}

// compilePlan has nothing to decide again: the stage is in no cgroup.
func (m *mounting) compilePlan() error { return unexpected("way into the cgroup") }

func (m *mounting) cgroupDir() (*os.File, error) { return nil, unexpected("cgroup") }

func (m *mounting) act(sync string) error { return unexpected("sync " + sync) }

func (m *mounting) observed() (*specs.LinuxSeccomp, specs.State) {
	return &specs.LinuxSeccomp{}, specs.State{}
}

func (m *mounting) openOwn(f *plan.File) (*os.File, error) {
	switch f.Kind {
	case plan.FilePidfd:
		return duplicate(m.init)
	case plan.FileContainerUserNS:
		return m.openUserNS()
	}
	return nil, unexpected("file " + f.String())
}

// openUserNS opens the user namespace of the first process, and makes sure
// that it was that process's.
func (m *mounting) openUserNS() (*os.File, error) {
	f, err := os.Open("/proc/" + strconv.Itoa(m.container.state.Pid) + "/ns/user")
	if err == nil {
		err = sys.PidfdSignal(m.init, 0)
	}
	if err != nil {
		sys.CloseAll([]*os.File{f})
		return nil, fmt.Errorf("opening the container's user namespace: %w", pathError(err))
	}
	return f, nil
}
