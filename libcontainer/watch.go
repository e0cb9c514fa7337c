package libcontainer

import (
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/cgroup"
	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// Event is what a Watch has seen.
type Event int

// The events.
const (
	NoEvent     Event = iota // until the time given
	OutOfMemory              // the kernel killed a process of the container for want of memory
	Ended                    // the container's first process has ended
)

// Watch hears of what happens to a container.
type Watch struct {
	init *os.File // a pidfd
	oom  *cgroup.OOMWatch
}

// Watch begins to listen. It is the caller's to close. ErrNotRunning: the
// container has stopped.
func (c *Container) Watch() (*Watch, error) {
	if err := c.checkAlive(); err != nil {
		return nil, err
	}
	m, err := c.manager()
	if err != nil {
		return nil, err
	}
	w := &Watch{}
	w.init, err = sys.PidfdOpenAt(c.state.Pid, c.state.PidStart)
	if errors.Is(err, unix.ESRCH) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, fmt.Errorf("opening process %d: %w", c.state.Pid, err)
	}
	if w.oom, err = m.WatchOOM(); err != nil {
		w.init.Close()
		return nil, err
	}
	return w, nil
}

// Next waits for the next event, at most until the time given. After Ended
// there is no other.
func (w *Watch) Next(until time.Time) (Event, error) {
	for {
		set := []unix.PollFd{{Fd: int32(w.init.Fd()), Events: unix.POLLIN}}
		if w.oom != nil {
			set = append(set, w.oom.Poll())
		}
		n, err := unix.Poll(set, pollTimeout(time.Until(until)))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return NoEvent, fmt.Errorf("waiting for events of the container: %w", err)
		}
		if n == 0 && time.Until(until) <= 0 {
			return NoEvent, nil
		}
		if event, err := w.event(set[0].Revents != 0); event != NoEvent || err != nil {
			return event, err
		}
	}
}

// pollTimeout is the time left in milliseconds, rounded up, or as much of it as
// the kernel's int holds, which is 24 days.
func pollTimeout(left time.Duration) int {
	ms := max(left, 0) / time.Millisecond
	if left > ms*time.Millisecond {
		ms++
	}
	return int(min(ms, math.MaxInt32))
}

// event says what poll has seen: what led to the end comes before it.
func (w *Watch) event(ended bool) (Event, error) {
	if w.oom != nil {
		if happened, err := w.oom.Happened(); err != nil || happened {
			return OutOfMemory, err
		}
	}
	if ended {
		return Ended, nil
	}
	return NoEvent, nil
}

// Close stops listening.
func (w *Watch) Close() error { return errors.Join(w.init.Close(), w.oom.Close()) }
