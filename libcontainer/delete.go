package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/hook"
	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/state"
)

// Delete removes a container that has stopped, or that was never started.
// ErrRunning: it still runs.
// Spec: runtime.md#delete
func (c *Container) Delete() error {
	if err := c.dir.Lock(); err != nil {
		return err
	}
	if err := c.settle(); err != nil {
		return err
	}
	status, err := c.Status()
	if err != nil {
		return err
	}
	if status != Stopped && status != Created {
		return fmt.Errorf("cannot delete container %s that is not stopped: %s: %w", c.ID(), status, ErrRunning)
	}
	return c.remove()
}

// Destroy kills what is left of the container and removes it.
func (c *Container) Destroy() error {
	if err := c.lockForce(); err != nil {
		return err
	}
	err := c.settle()
	if errors.Is(err, ErrIncomplete) { // whoever was removing it has ended
		return c.dir.Remove()
	}
	if err != nil {
		return err
	}
	return c.remove()
}

// settle reads the state again, under the lock, if the container was being
// created when it was read: its process was not known then. Nothing that
// removing it needs is written later.
func (c *Container) settle() error {
	if c.state.Phase != state.Creating {
		return nil
	}
	return c.reload()
}

// lockForce takes the lock. A creator, or a checkpoint, that holds it gives up
// when the container's processes are gone.
func (c *Container) lockForce() error {
	locked, err := c.dir.TryLock()
	if err != nil || locked {
		return err
	}
	if m, err := c.manager(); err == nil {
		m.KillAll()
	}
	return c.dir.Lock()
}

// remove ends every process, then removes what they used, the state last:
// whatever interrupts it, the state still says what there is to remove.
func (c *Container) remove() error {
	if _, err := c.manager(); err != nil {
		return err
	}
	return inOrder(c.runtime.Trace, c, []phase[*Container]{
		{"killing the container's process", (*Container).endInit},
		{"killing what is in the cgroup", func(c *Container) error { return c.cgroup.KillAll() }},
		{"removing the cgroup", func(c *Container) error { return c.cgroup.Delete() }},
		{"unmounting the root file system", func(c *Container) error { return unmountRoot(c.state) }},
		{"removing the resctrl group", (*Container).removeRdt},
		{"running poststop hooks", func(c *Container) error { c.poststop(); return nil }},
		{"removing the state", func(c *Container) error { return c.dir.Remove() }},
	})
}

// endInit kills the container's process and waits until it is gone.
func (c *Container) endInit() error {
	if c.state.Phase == state.Creating {
		return nil
	}
	pidfd, err := sys.PidfdOpenAt(c.state.Pid, c.state.PidStart)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening process %d: %w", c.state.Pid, err)
	}
	defer pidfd.Close()
	if err := sys.PidfdSignal(pidfd, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("killing process %d: %w", c.state.Pid, err)
	}
	if err := c.thaw(); err != nil {
		return err
	}
	if err := c.awaitEnd(pidfd); err != nil {
		return fmt.Errorf("waiting for the end of process %d: %w", c.state.Pid, err)
	}
	return nil
}

// awaitEnd waits for the killed process. One that takes its time may lack CPU
// time to die in: it then gets what there is.
func (c *Container) awaitEnd(pidfd *os.File) error {
	exited, err := sys.PidfdPoll(pidfd, dyingTime)
	if err == nil && !exited {
		c.cgroup.Unthrottle()
		exited, err = sys.PidfdPoll(pidfd, killTimeout)
	}
	if err == nil && !exited {
		return fmt.Errorf("it still runs %v after SIGKILL [it may hang in the kernel: see /proc/%d/stack]", killTimeout, c.state.Pid)
	}
	return err
}

func (c *Container) removeRdt() error {
	g, err := c.rdtGroup()
	if err != nil || g == nil {
		return err
	}
	return g.Remove()
}

// poststop runs the poststop hooks. Their failure is a warning.
// Spec: runtime.md#lifecycle step 13
func (c *Container) poststop() {
	s, err := c.config()
	if err != nil || len(hooks(s).Poststop) == 0 {
		return
	}
	state, err := hookState(c.state, specs.StateStopped, 0)
	if err != nil {
		c.runtime.warn(err.Error())
		return
	}
	for _, err := range hook.RunAll(context.Background(), "poststop", hooks(s).Poststop, state, hook.Options{Dir: c.state.Bundle, Env: c.runtime.HookEnv}) {
		c.runtime.warn(err.Error())
	}
}

// ForceRemove removes a container whatever it is in the middle of: also one
// whose creation or removal was interrupted. One that does not exist is fine.
func (r *Runtime) ForceRemove(id string) error {
	if err := state.CheckID(id); err != nil {
		return err
	}
	dir, s, err := state.Open(r.Root, id)
	switch {
	case errors.Is(err, ErrNotExist):
		return nil
	case errors.Is(err, ErrIncomplete):
		return r.removeIncomplete(dir, id)
	case err != nil:
		return err
	}
	defer dir.Close() // and with it the lock, where it cannot be removed
	err = (&Container{runtime: r, dir: dir, state: s}).Destroy()
	if errors.Is(err, ErrNotExist) {
		return nil // someone else removed it first
	}
	return err
}

// removeIncomplete waits for whoever is at it, and looks again.
func (r *Runtime) removeIncomplete(dir *state.Dir, id string) error {
	defer dir.Close()
	if err := dir.Lock(); err != nil {
		if errors.Is(err, ErrNotExist) {
			return nil
		}
		return err
	}
	s, err := dir.Load()
	if err == nil {
		return (&Container{runtime: r, dir: dir, state: s}).remove()
	}
	return dir.Remove()
}
