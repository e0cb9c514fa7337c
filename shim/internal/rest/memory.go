package rest

import (
	"math"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/davit-containers/davit/shim/loop"
)

const (
	// after is how long a process rests from its last work until it gives memory
	// back.
	after = 3 * time.Second
	// percent is how much garbage there may be at work, of what is alive. Measured: a
	// container of a pod is created without a collection, each of which leaves
	// Go's own tables larger, and twenty leave the heap no larger than it need be.
	percent = 50
	// garbage is how much there may be at rest, in bytes.
	garbage = 1 << 20
)

// Memory is what this process has, at work or at rest. It belongs to the loop.
type Memory struct {
	loop    *loop.Loop
	warn    func(message string)
	timer   *loop.Timer
	resting bool
}

// New is the memory of a process that works, and will rest.
func New(l *loop.Loop, warn func(message string)) *Memory {
	m := &Memory{loop: l, warn: warn, resting: true}
	m.Work()
	return m
}

// Work says that there is, or was just now, work that takes memory.
func (m *Memory) Work() {
	if m.resting {
		m.resting = false
		debug.SetMemoryLimit(math.MaxInt64)
		debug.SetGCPercent(percent)
	}
	m.timer.Stop()
	m.timer = m.loop.After(after, m.rest)
}

// rest gives memory back. From then on garbage is only collected where there is
// some: Go would do it every other minute, and touch everything for it.
func (m *Memory) rest() {
	m.resting = true
	debug.FreeOSMemory()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	// In this order, with collections before and after, but none between: one without
	// a bound takes the heap for a large one, and gives huge pages to its tables.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(int64(now.Sys-now.HeapReleased) + garbage)
	if err := dropProgram(); err != nil {
		m.warn(err.Error())
	}
}
