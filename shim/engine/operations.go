package engine

import (
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer"
)

// find finds a process; "" is a container's first.
func (e *Engine) find(id, exec string) (*process, error) {
	t := e.tasks[id]
	if t == nil {
		return nil, refuse(NotFound, "container not created: not found")
	}
	if exec == "" {
		return t.init, nil
	}
	if p := t.execs[exec]; p != nil {
		return p, nil
	}
	return nil, refuse(NotFound, "process does not exist %s: not found", exec)
}

// Start starts a process.
func (e *Engine) Start(id, exec string, done func(pid int, err error)) {
	e.StartTraced(id, exec, nil, done)
}

// StartTraced is Start for a call that is part of a trace.
func (e *Engine) StartTraced(id, exec string, trace Trace, done func(pid int, err error)) {
	p, err := e.find(id, exec)
	if err != nil {
		done(0, err)
		return
	}
	refused := func(err error) { done(0, err) }
	if exec == "" {
		p.try(opStart, func() { p.task.start(trace, done) }, refused)
		return
	}
	init := p.task.init
	if init.ended {
		refused(p.task.notRunning())
		return
	}
	init.try(opExec, func() {
		p.try(opStart, func() { p.startExec(done) }, refused)
	}, refused)
}

// AddExec adds a further process, which is described as process.json is.
func (e *Engine) AddExec(id, exec string, s Streams, spec []byte, done func(error)) {
	init, err := e.find(id, "")
	if err != nil {
		done(err)
		return
	}
	init.try(opExec, func() {
		err := init.task.addExec(exec, s, spec)
		if err == nil {
			e.Publish(Event{Kind: ExecAdded, Task: id, Exec: exec})
		}
		done(err)
	}, done)
}

// Delete removes a process that has ended, or never was started; with a
// container's first, the container.
func (e *Engine) Delete(id, exec string, done func(pid int, exit Exit, err error)) {
	e.DeleteTraced(id, exec, nil, done)
}

// DeleteTraced is Delete for a call that is part of a trace.
func (e *Engine) DeleteTraced(id, exec string, trace Trace, done func(pid int, exit Exit, err error)) {
	p, err := e.find(id, exec)
	if err != nil {
		done(0, Exit{}, err)
		return
	}
	p.try(opDelete, func() {
		if exec == "" {
			p.task.remove(trace, done)
			return
		}
		p.removeExec(done)
	}, func(err error) { done(0, Exit{}, err) })
}

// Kill sends a signal to a process, or to all of a container.
func (e *Engine) Kill(id, exec string, sig unix.Signal, all bool, done func(error)) {
	p, err := e.find(id, exec)
	if err != nil {
		done(err)
		return
	}
	p.try(opKill, func() {
		switch {
		case p.ended:
			done(refuse(NotFound, "process already finished: not found"))
		case exec != "":
			done(p.signal(sig))
		default:
			e.inTask(p.task, done, func(r maker) error { return r.kill(id, sig, all) })
		}
	}, func(err error) {
		if all && exec == "" && p.state == stopped {
			e.inTask(p.task, done, func(r maker) error { return r.kill(id, sig, true) })
			return
		}
		done(err)
	})
}

// inTask has a task's runtime do something that changes no state.
func (e *Engine) inTask(t *task, done func(error), do func(maker) error) {
	var err error
	e.work(func() { err = do(t.runtime) }, func() { done(err) })
}

// change does an operation that leads to another state, or back.
func (p *process) change(op operation, do func(maker) error, then func(err error) state, done func(error)) {
	p.try(op, func() {
		p.engine.inTask(p.task, func(err error) {
			next := then(err)
			done(err)
			p.settle(next)
		}, do)
	}, done)
}

// Pause stops all of a container's processes.
func (e *Engine) Pause(id string, done func(error)) {
	e.freeze(id, &freezing{
		op: opPause, do: maker.pause, before: running, next: paused, undone: recordResumed, done: recordPaused, event: Paused,
	}, done)
}

// Resume lets them go on.
func (e *Engine) Resume(id string, done func(error)) {
	e.freeze(id, &freezing{
		op: opResume, do: maker.resume, before: paused, next: running, undone: recordPaused, done: recordResumed, event: Resumed,
	}, done)
}

// freezing is a change of whether a container's processes stand still.
type freezing struct {
	op           operation
	do           func(r maker, id string) error
	before, next state
	undone, done string // what is recorded
	event        EventKind
}

// freeze makes such a change. That it is about to be made is recorded: a supervisor
// that is killed in between leaves either.
func (e *Engine) freeze(id string, f *freezing, done func(error)) {
	p, err := e.find(id, "")
	if err != nil {
		done(err)
		return
	}
	p.try(f.op, func() {
		p.task.journal.add(record{Kind: recordFreezing})
		e.inTask(p.task, func(err error) {
			next, kind := f.next, f.done
			if err != nil {
				next, kind = f.before, f.undone
			}
			p.task.journal.add(record{Kind: kind})
			if err == nil {
				e.Publish(Event{Kind: f.event, Task: id})
			}
			done(err)
			p.settle(next)
		}, func(r maker) error { return f.do(r, id) })
	}, done)
}

// Checkpoint writes a container to an image.
func (e *Engine) Checkpoint(id string, o CheckpointOptions, done func(error)) {
	p, err := e.find(id, "")
	if err != nil {
		done(err)
		return
	}
	if o.Work == "" {
		o.Work = filepath.Join(p.task.create.Bundle, "work")
	}
	before := p.state
	if before != paused {
		before = running
	}
	p.change(opCheckpoint, func(r maker) error { return r.checkpoint(id, o) }, func(err error) state {
		if err == nil {
			e.Publish(Event{Kind: Checkpointed, Task: id, Checkpoint: o.Image})
		}
		return before
	}, done)
}

// Update changes a container's limits.
func (e *Engine) Update(id string, r *specs.LinuxResources, done func(error)) {
	p, err := e.find(id, "")
	if err != nil {
		done(err)
		return
	}
	p.try(opUpdate, func() {
		e.inTask(p.task, done, func(rt maker) error { return rt.update(id, r) })
	}, done)
}

// Resize changes the size of a process's terminal, in characters.
func (e *Engine) Resize(id, exec string, width, height uint32, done func(error)) {
	p, err := e.find(id, exec)
	if err != nil {
		done(err)
		return
	}
	p.try(opResize, func() {
		if p.pid == 0 {
			done(nil)
			return
		}
		done(p.io.Resize(width, height))
	}, done)
}

// CloseInput lets a process's input end when its writer goes.
func (e *Engine) CloseInput(id, exec string, done func(error)) {
	p, err := e.find(id, exec)
	if err == nil {
		p.closed = true
	}
	if err == nil && p.pid != 0 {
		p.io.CloseInput()
	}
	done(err)
}

// Wait calls done when the process has ended.
func (e *Engine) Wait(id, exec string, done func(Exit, error)) {
	p, err := e.find(id, exec)
	if err != nil {
		done(Exit{}, err)
		return
	}
	if p.told {
		done(p.exit, nil)
		return
	}
	p.waiters = append(p.waiters, func(x Exit) { done(x, nil) })
}

// Again says that there may be room again for a process's output.
func (e *Engine) Again(id, exec string) {
	if p, err := e.find(id, exec); err == nil && p.io != nil && p.pid != 0 {
		p.io.Again()
	}
}

// Info is what is known of a process.
type Info struct {
	Bundle string
	Pid    int
	Status string // created, running, paused, pausing or stopped
	// Starting is of a created one: its program may run already.
	Starting bool
	Streams  Streams
	Exit     Exit // of a stopped one
}

// State tells what is known of a process.
func (e *Engine) State(id, exec string) (Info, error) {
	p, err := e.find(id, exec)
	if err != nil {
		return Info{}, err
	}
	i := Info{Bundle: p.task.create.Bundle, Pid: p.pid, Status: p.status(), Starting: p.state == starting, Streams: p.streams}
	if p.told {
		i.Exit = p.exit
	}
	return i, nil
}

func (p *process) status() string {
	switch p.state {
	case creating, created, starting:
		return "created"
	case pausing:
		return "pausing"
	case paused, resuming:
		return "paused"
	case stopped, deleting:
		return "stopped"
	}
	if init := p.task.init; p != init && init.state == paused {
		return "paused"
	}
	return "running"
}

// Process is one of a container's.
type Process struct {
	Pid  int
	Exec string // "" where nobody asked for it by an id
}

// Pids lists a container's processes.
func (e *Engine) Pids(id string, done func([]Process, error)) {
	p, err := e.find(id, "")
	if err != nil {
		done(nil, err)
		return
	}
	var pids []int
	e.work(func() { pids, err = p.task.runtime.pids(id) }, func() {
		var list []Process
		for _, pid := range pids {
			list = append(list, Process{pid, p.task.execOf(pid)})
		}
		done(list, err)
	})
}

func (t *task) execOf(pid int) string {
	for id, p := range t.execs {
		if p.pid == pid {
			return id
		}
	}
	return ""
}

// Stats reads what a container has used.
func (e *Engine) Stats(id string, done func(*libcontainer.Stats, error)) {
	p, err := e.find(id, "")
	if err != nil {
		done(nil, err)
		return
	}
	var s *libcontainer.Stats
	e.work(func() { s, err = p.task.runtime.stats(id) }, func() { done(s, err) })
}

// KillAll sends a signal to every process of every container, and calls done
// when all that were running have ended.
func (e *Engine) KillAll(sig unix.Signal, done func()) {
	left := 1
	ended := func() {
		if left--; left == 0 {
			done()
		}
	}
	for id, t := range e.tasks {
		if t.init.pid == 0 || t.init.told {
			continue
		}
		left++
		t.init.waiters = append(t.init.waiters, func(Exit) { ended() })
		e.Kill(id, "", sig, true, func(error) {})
	}
	ended()
}
