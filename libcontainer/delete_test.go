package libcontainer

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/state"
)

// staleCopy is the container as someone sees it who read its state while it was
// being created, by a process that is gone.
func (b *box) staleCopy() *Container {
	b.t.Helper()
	c, err := b.runtime.Load("box")
	b.must(err)
	old := *c.state
	old.Phase, old.Pid, old.PidStart, old.CreatorPid = state.Creating, 0, 0, 1<<30
	c.state = &old
	b.t.Cleanup(func() { c.Close() })
	return c
}

// What was read before the lock was taken decides nothing.
func TestDeleteReadsAgain(t *testing.T) {
	b := newBox(t)
	b.running()
	if err := b.staleCopy().Delete(); !errors.Is(err, ErrRunning) {
		t.Errorf("a running container is deleted: %v", err)
	}
	b.expect(Running)
}

// Without a cgroup the process is all that there is to kill.
func TestDestroyReadsAgain(t *testing.T) {
	b := newBox(t)
	b.runtime.Cgroups = CgroupDisabled
	b.config.Linux.CgroupsPath, b.config.Linux.Resources = "", nil
	b.config.Process.Args = []string{"sleep", "1000"}
	bundle, err := b.load()
	b.must(err)
	c, err := b.runtime.Create("box", bundle, CreateOptions{})
	b.must(err)
	b.must(c.Start())
	b.must(b.staleCopy().Destroy())
	exit, err := c.Wait()
	if err != nil || exit.Signal() != unix.SIGKILL {
		t.Errorf("its process ended with %v, %v", exit, err)
	}
}
