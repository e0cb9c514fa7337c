package libcontainer

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/trace"
)

// clockFile is the file in the container's state directory in which the stage
// of a traced creation records when its steps end: start reads on in it.
const clockFile = "steps"

// clockSpare is room for steps that a plan gets when it is compiled once more.
const clockSpare = 64

// stepClock is what a stage has recorded, for a trace. A nil one has nothing.
type stepClock struct {
	file     *os.File
	describe func(step int) (stepWords, bool)
	next     int // the first step that has not been reported
}

// newClock makes the file for a plan's stage: in the state directory where
// another process goes on with it, or in memory.
func (m *making) newClock() (*os.File, error) {
	f, err := m.createClock()
	if err == nil {
		err = f.Truncate(8 * int64(len(m.plan.Steps)+clockSpare))
	}
	if err != nil {
		return nil, fmt.Errorf("making the file for the steps' times: %w", pathError(err))
	}
	m.clock = &stepClock{file: f, describe: describeIn(m.plan)}
	return f, nil
}

func (m *making) createClock() (*os.File, error) {
	if m.clockDir == nil {
		return sys.Memfd("davit-steps")
	}
	fd, err := unix.Openat(int(m.clockDir.Fd()), clockFile, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), clockFile), nil
}

// keepClock hands the clock on to the container, whose steps go on.
func (m *making) keepClock() *stepClock {
	if m.clock == nil {
		return nil
	}
	fd, err := unix.FcntlInt(m.clock.file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	kept := *m.clock
	kept.file = os.NewFile(uintptr(fd), clockFile)
	return &kept
}

// openClock finds what the stage of a traced creation records; nil where the
// creation was not traced, or nobody asks.
func (c *Container) openClock() *stepClock {
	if c.runtime.Trace == nil {
		return nil
	}
	fd, err := unix.Openat(int(c.dir.File().Fd()), clockFile, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	return &stepClock{file: os.NewFile(uintptr(fd), clockFile), describe: c.describeStart}
}

func (k *stepClock) close() {
	if k != nil {
		k.file.Close()
	}
}

// report adds the steps to a trace that have ended since the last report. A
// step lasts from the end of the one before.
func (k *stepClock) report(t *trace.Recorder) {
	if k == nil || t == nil {
		return
	}
	times := k.times()
	for i := max(k.next, 1); i < len(times) && times[i] != 0; i++ {
		if words, ok := k.describe(i); ok && times[i-1] != 0 {
			t.Step(words.Doing, words.Op, times[i-1], times[i])
		}
		k.next = i + 1
	}
}

func (k *stepClock) times() []int64 {
	info, err := k.file.Stat()
	if err != nil {
		return nil
	}
	data := make([]byte, info.Size())
	n, _ := k.file.ReadAt(data, 0)
	times := make([]int64, n/8)
	for i := range times {
		times[i] = int64(binary.NativeEndian.Uint64(data[8*i:]))
	}
	return times
}
