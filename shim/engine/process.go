package engine

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/loop"
	"github.com/davit-containers/davit/shim/stdio"
)

// process is one that is supervised: a container's first, or a further one.
type process struct {
	engine  *Engine
	task    *task
	id      string // "" for the first
	number  int
	table   *table
	state   state
	streams Streams
	spec    []byte // of a further process, as JSON

	io     *stdio.Streams
	closed bool // the input is to end when its writer goes
	pid    int
	pidfd  *os.File
	watch  *loop.Watch

	since     time.Time // before there was the process
	startedAt uint64    // when it started, in ticks since boot
	exit      Exit
	ended     bool // exit is known
	told      bool // and was told
	waiters   []func(Exit)
	queue     []func() // operations that wait for the state to change
}

// try does an operation if the table allows it, or later. Otherwise it calls
// refused.
func (p *process) try(op operation, do func(), refused func(error)) {
	v := p.table[p.state][op]
	switch {
	case v.refusal != "":
		refused(&Refusal{v.kind, v.refusal})
	case v.later:
		p.queue = append(p.queue, func() { p.try(op, do, refused) })
	default:
		p.state = v.next
		do()
	}
}

// settle ends an operation that was under way. An end that came meanwhile is
// told, then what has waited is tried.
func (p *process) settle(s state) {
	p.state = s
	if p.ended && !p.told {
		p.conclude()
	}
	p.tryAgain()
}

// over tells whether the process has ended, also where the loop has not heard of it yet.
func (p *process) over() bool {
	if p.ended || p.pidfd == nil {
		return p.ended
	}
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(p.pidfd.Fd()), Events: unix.POLLIN}}, 0)
	return err == nil && n > 0
}

// dismiss is the end of a process's removal: what has waited for that is refused.
func (p *process) dismiss() {
	p.state = removed
	p.tryAgain()
}

func (p *process) tryAgain() {
	queue := p.queue
	p.queue = nil
	for _, f := range queue {
		f()
	}
}

// born takes the process over once it is there.
func (p *process) born(b born) error {
	p.pid, p.pidfd = b.pid, b.pidfd
	// One that has ended already has no start time, and needs none.
	p.startedAt, _ = startTime(b.pid)
	if err := p.task.journal.add(record{Kind: recordBorn, Exec: p.id, Pid: b.pid, Start: p.startedAt, At: &p.since}); err != nil {
		return err
	}
	return p.await()
}

// await begins to wait for the process's end.
func (p *process) await() (err error) {
	if p.pidfd == nil { // it had ended before it could be opened
		p.askKeeper()
		return nil
	}
	p.watch, err = p.engine.Loop.Watch(int(p.pidfd.Fd()), loop.Readable, func(uint32) { p.readable() })
	return err
}

// readable is called when the process has ended.
func (p *process) readable() {
	p.watch.Stop()
	exit, err := look(p.pidfd)
	if err != nil {
		p.askKeeper()
		return
	}
	p.record(exit)
	reap(p.pidfd)
	p.tell()
}

// end writes down how the process ended, and tells it when it is time.
func (p *process) end(exit Exit) {
	if !p.ended {
		p.record(exit)
		p.tell()
	}
}

func (p *process) record(exit Exit) {
	p.ended, p.exit = true, exit
	if err := p.task.journal.add(record{Kind: recordExit, Exec: p.id, Pid: p.pid, Status: exit.Status, At: &exit.At}); err != nil {
		p.engine.Log("error", err.Error())
	}
}

// tell tells it unless something is under way, which tells it then.
func (p *process) tell() {
	p.watch.Stop()
	if p.io != nil {
		p.io.Exited()
	}
	if !p.state.passing() {
		p.settle(p.state)
	}
}

// conclude tells that the process has ended. A container's first is told of
// after its others.
func (p *process) conclude() {
	if p.id == "" && !p.task.alone() {
		return
	}
	if p.id == "" {
		p.task.checkOOM()
	}
	p.told, p.state = true, stopped
	p.engine.Publish(Event{Kind: Exited, Task: p.task.create.ID, Exec: p.id, Pid: p.pid, Exit: p.exit})
	p.release()
	if p.id != "" {
		p.task.otherEnded()
	}
}

// otherEnded is called when one of a container's further processes is told of or
// has failed: its first may have ended before, and wait.
func (t *task) otherEnded() {
	if t.init.ended && !t.init.told && !t.init.state.passing() {
		t.init.settle(t.init.state)
	}
}

// release answers those who wait for the end.
func (p *process) release() {
	waiters := p.waiters
	p.waiters = nil
	for _, done := range waiters {
		done(p.exit)
	}
}

// discard gives everything back.
func (p *process) discard() {
	p.watch.Stop()
	delete(p.engine.strange, p.pid)
	if p.pidfd != nil {
		p.pidfd.Close()
		p.pidfd = nil
	}
	if p.io != nil {
		p.engine.drop(p.number, p.io.Names())
		p.io.Close()
	}
	p.release()
}

// signal sends a signal to the process alone.
func (p *process) signal(sig unix.Signal) error {
	if p.pidfd == nil {
		return refuse(FailedPrecondition, "process not created: failed precondition")
	}
	err := unix.PidfdSendSignal(int(p.pidfd.Fd()), sig, nil, 0)
	if err == unix.ESRCH {
		return refuse(NotFound, "process already finished: not found")
	}
	return err
}
