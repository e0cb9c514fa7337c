package libcontainer

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPauseAndResume(t *testing.T) {
	b := newBox(t)
	c := b.running()
	if err := c.Resume(); !errors.Is(err, ErrNotPaused) {
		t.Errorf("resume of a running container: %v", err)
	}
	b.must(c.Pause())
	b.expect(Paused)
	if err := c.Pause(); !errors.Is(err, ErrPaused) {
		t.Errorf("a second pause: %v", err)
	}
	if _, _, err := b.exec(c, ExecOptions{Process: b.process(c, "true")}); !errors.Is(err, ErrPaused) {
		t.Errorf("exec: %v", err)
	}
	b.must(c.Signal(unix.SIGCONT))
	b.expect(Paused)
	if err := c.Delete(); !errors.Is(err, ErrRunning) {
		t.Errorf("delete: %v", err)
	}
	b.must(c.Resume())
	b.expect(Running)
	if _, _, err := b.exec(c, ExecOptions{Process: b.process(c, "true")}); err != nil {
		t.Errorf("exec after resume: %v", err)
	}
}

// A process that enters a paused container runs when that is resumed.
func TestExecIgnoresPause(t *testing.T) {
	b := newBox(t)
	c := b.running()
	b.must(c.Pause())
	done := make(chan error, 1)
	go func() {
		_, _, err := b.exec(c, ExecOptions{Process: b.process(c, "true"), IgnorePaused: true})
		done <- err
	}()
	for {
		pids, err := c.Processes()
		b.must(err)
		if len(pids) > 1 {
			break
		}
	}
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	b.must(c.Resume())
	b.must(<-done)
}

func TestKillPaused(t *testing.T) {
	b := newBox(t)
	c := b.running()
	b.must(c.Pause())
	b.must(c.Signal(unix.SIGKILL))
	exit, err := c.Wait()
	if err != nil || exit.Signal() != unix.SIGKILL {
		t.Errorf("got %v, %v", exit, err)
	}
	b.expect(Stopped)
	if err := c.Pause(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("pause of a stopped container: %v", err)
	}
}

func TestDestroyPaused(t *testing.T) {
	for _, status := range []Status{Created, Running} {
		t.Run(string(status), func(t *testing.T) {
			b := newBox(t)
			b.config.Process.Args = []string{"sleep", "1000"}
			bundle, err := b.load()
			b.must(err)
			c, err := b.runtime.Create("box", bundle, CreateOptions{StartLater: true})
			b.must(err)
			if status == Running {
				b.must(c.Start())
			}
			b.must(c.Pause())
			b.expect(Paused)
			if err := c.Start(); status == Created && !errors.Is(err, ErrPaused) {
				t.Errorf("start of a paused container: %v", err)
			}
			b.must(b.runtime.ForceRemove("box"))
			if left := b.remains(); left != "" {
				t.Errorf("left behind:\n%s", left)
			}
		})
	}
}

func TestResumeCreated(t *testing.T) {
	b := newBox(t)
	b.config.Process.Args = []string{"true"}
	bundle, err := b.load()
	b.must(err)
	c, err := b.runtime.Create("box", bundle, CreateOptions{StartLater: true})
	b.must(err)
	b.must(c.Pause())
	b.must(c.Resume())
	b.expect(Created)
	b.must(c.Start())
	_, err = c.Wait()
	b.must(err)
	b.must(c.Delete())
}

// sleeper executes a process that lasts until the test's end. Its end must be
// waited for: the end of a pid namespace is that of all its processes.
func (b *box) sleeper(c *Container) *Process {
	b.t.Helper()
	p, err := c.Exec(ExecOptions{Process: b.process(c, "sleep", "1000")})
	b.must(err)
	b.t.Cleanup(func() {
		if err := p.Signal(unix.SIGKILL); err == nil {
			_, _ = p.Wait()
		}
		b.must(p.Close())
	})
	return p
}

func TestProcesses(t *testing.T) {
	b := newBox(t)
	c := b.running()
	pids, err := c.Processes()
	if want := []int{c.Pid()}; err != nil || !slices.Equal(pids, want) {
		t.Errorf("got %v, %v, want %v", pids, err, want)
	}
	p := b.sleeper(c)
	want := []int{c.Pid(), p.Pid()}
	slices.Sort(want)
	if pids, err = c.Processes(); err != nil || !slices.Equal(pids, want) {
		t.Errorf("with one more: got %v, %v, want %v", pids, err, want)
	}
}

func TestProcessesWithoutCgroup(t *testing.T) {
	b := newBox(t)
	b.runtime.Cgroups = CgroupDisabled
	b.config.Linux.Resources = nil
	c := b.running()
	p := b.sleeper(c)
	want := []int{c.Pid(), p.Pid()}
	slices.Sort(want)
	if pids, err := c.Processes(); err != nil || !slices.Equal(pids, want) {
		t.Errorf("got %v, %v, want %v", pids, err, want)
	}
	if err := c.Pause(); err == nil {
		t.Error("paused without a cgroup")
	}
	b.must(c.Signal(unix.SIGKILL))
	_, err := p.Wait()
	b.must(err)
	_, err = c.Wait()
	b.must(err)
	if pids, err := c.Processes(); err != nil || len(pids) > 0 {
		t.Errorf("stopped: got %v, %v", pids, err)
	}
}
