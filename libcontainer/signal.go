package libcontainer

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/state"
)

// Signal sends a signal to the container's process. SIGKILL goes to all of
// the container's processes where they do not share a pid namespace of their
// own, whose end its first process would be. ErrNotRunning: there is none.
// Spec: runtime.md#kill
func (c *Container) Signal(sig unix.Signal) error {
	return c.runtime.Trace.Do("sending the signal", func() error { return c.signal(sig) })
}

func (c *Container) signal(sig unix.Signal) error {
	if sig == unix.SIGKILL && !c.ownPidNamespace() {
		return c.killAll()
	}
	err := c.signalInit(sig)
	if errors.Is(err, unix.ESRCH) {
		return ErrNotRunning
	}
	if err != nil {
		return fmt.Errorf("sending signal %d to process %d: %w", sig, c.state.Pid, err)
	}
	if sig == unix.SIGKILL {
		return c.thaw()
	}
	return nil
}

func (c *Container) signalInit(sig unix.Signal) error {
	if c.state.Phase == state.Creating {
		return unix.ESRCH
	}
	pidfd, err := sys.PidfdOpenAt(c.state.Pid, c.state.PidStart)
	if err != nil {
		return err
	}
	defer pidfd.Close()
	return sys.PidfdSignal(pidfd, sig)
}

// thaw lets a paused container's processes die of the signal they were sent.
// On cgroup v2 the kernel does so by itself.
func (c *Container) thaw() error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	if paused, err := m.Paused(); err != nil || !paused {
		return err
	}
	return m.Thaw()
}

// SignalAll sends a signal to all of the container's processes.
func (c *Container) SignalAll(sig unix.Signal) error {
	if sig == unix.SIGKILL {
		return c.killAll()
	}
	m, err := c.manager()
	if err != nil {
		return err
	}
	return m.Kill(sig)
}

// killAll kills what is in the cgroup, and the container's process should
// there be no cgroup. ErrNotRunning: there was nothing left.
func (c *Container) killAll() error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	pids, err := m.Pids()
	if err != nil {
		return err
	}
	initErr := c.signalInit(unix.SIGKILL)
	if len(pids) == 0 && errors.Is(initErr, unix.ESRCH) {
		return ErrNotRunning
	}
	if initErr != nil && !errors.Is(initErr, unix.ESRCH) {
		return fmt.Errorf("killing process %d: %w", c.state.Pid, initErr)
	}
	return m.KillAll()
}
