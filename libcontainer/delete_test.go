package libcontainer

import (
	"errors"
	"runtime"
	"testing"
	"time"

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

// A removal that fails leaves the container to the next one, also of this process.
func TestForceRemoveAgain(t *testing.T) {
	b := newBox(t)
	b.config.Process.User.UID = 1000
	b.running()
	for range 2 {
		failed := make(chan error)
		go func() {
			runtime.LockOSThread() // for good: the thread ends with this
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var data [2]unix.CapUserData
			err := unix.Capget(&header, &data[0])
			data[0].Effective &^= 1 << unix.CAP_KILL
			data[0].Permitted &^= 1 << unix.CAP_KILL
			if err == nil {
				err = unix.Capset(&header, &data[0])
			}
			if err == nil {
				err = b.runtime.ForceRemove("box")
			}
			failed <- err
		}()
		select {
		case err := <-failed:
			if !errors.Is(err, unix.EPERM) {
				t.Errorf("without CAP_KILL: %v", err)
			}
		case <-time.After(time.Minute):
			t.Fatal("the lock is held of a removal that failed")
		}
	}
}
