package libcontainer

import (
	"errors"
	"math"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// next waits for an event, as long as a test may last.
func (b *box) next(w *Watch) Event {
	b.t.Helper()
	event, err := w.Next(time.Now().Add(time.Minute))
	b.must(err)
	return event
}

func TestPollTimeout(t *testing.T) {
	for _, test := range []struct {
		left time.Duration
		want int
	}{
		{math.MinInt64, 0}, {-time.Second, 0}, {0, 0}, {1, 1},
		{time.Millisecond, 1}, {time.Millisecond + 1, 2}, {5 * time.Second, 5000},
		{math.MaxInt32 * time.Millisecond, math.MaxInt32}, {math.MaxInt32*time.Millisecond + 1, math.MaxInt32},
		{1 << 32 * time.Millisecond, math.MaxInt32}, {math.MaxInt64, math.MaxInt32},
	} {
		if got := pollTimeout(test.left); got != test.want {
			t.Errorf("%v: got %d, want %d", test.left, got, test.want)
		}
	}
}

func TestWatchEnd(t *testing.T) {
	b := newBox(t)
	c := b.running()
	w, err := c.Watch()
	b.must(err)
	defer w.Close()
	if event, err := w.Next(time.Now()); err != nil || event != NoEvent {
		t.Errorf("at first: %v, %v", event, err)
	}
	b.must(c.Signal(unix.SIGKILL))
	if event := b.next(w); event != Ended {
		t.Errorf("got %v, want %v", event, Ended)
	}
	_, err = c.Wait()
	b.must(err)
	if _, err := c.Watch(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("watch of a stopped container: %v", err)
	}
	if _, err := c.Stats(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("statistics of a stopped container: %v", err)
	}
}

// What the kernel killed the container for comes before its end.
func TestWatchOutOfMemory(t *testing.T) {
	b := newBox(t)
	limit := int64(16 << 20)
	b.config.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit, Swap: &limit}}
	b.config.Process.Args = []string{"sh", "-c", "x=x; while :; do x=$x$x; done"}
	bundle, err := b.load()
	b.must(err)
	c, err := b.runtime.Create("box", bundle, CreateOptions{})
	if err != nil {
		t.Skipf("this machine cannot limit memory and swap: %v", err)
	}
	w, err := c.Watch()
	b.must(err)
	defer w.Close()
	b.must(c.Start())
	if event := b.next(w); event != OutOfMemory {
		t.Errorf("got %v, want %v", event, OutOfMemory)
	}
	event := b.next(w)
	for event == OutOfMemory {
		event = b.next(w)
	}
	if event != Ended {
		t.Errorf("then %v, want %v", event, Ended)
	}
	_, err = c.Wait()
	b.must(err)
	b.must(c.Delete())
}

func TestStats(t *testing.T) {
	b := newBox(t)
	c := b.running()
	s, err := c.Stats()
	b.must(err)
	if s.Cgroup.PidsStats.Current != 1 {
		t.Errorf("%d processes", s.Cgroup.PidsStats.Current)
	}
	if len(s.Network) > 0 || s.IntelRdt != nil {
		t.Errorf("got %+v, %+v", s.Network, s.IntelRdt)
	}
}

func TestStatsWithoutCgroup(t *testing.T) {
	b := newBox(t)
	b.runtime.Cgroups = CgroupDisabled
	b.config.Linux.Resources = nil
	c := b.running()
	if _, err := c.Stats(); err == nil {
		t.Error("there are statistics")
	}
	w, err := c.Watch()
	b.must(err)
	defer w.Close()
	b.must(c.Signal(unix.SIGKILL))
	if event := b.next(w); event != Ended {
		t.Errorf("got %v, want %v", event, Ended)
	}
}
