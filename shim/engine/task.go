package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/cgroup"
	"github.com/davit-containers/davit/shim/loop"
	"github.com/davit-containers/davit/shim/stdio"
)

// task is a container with its processes.
type task struct {
	engine  *Engine
	create  *Create
	runtime maker
	init    *process
	execs   map[string]*process
	journal *journal
	private bool // its pid namespace is its own: all end with the first

	oom      *cgroup.OOMWatch
	oomWatch *loop.Watch
	toldOOM  bool // by a supervisor before this one
	killing  bool // what is left of the container's processes is being ended
}

func (e *Engine) newTask(c *Create) *task {
	t := &task{engine: e, create: c, execs: map[string]*process{}}
	t.init = &process{engine: e, task: t, number: e.next(), table: &ofContainers, streams: c.Streams, since: time.Now()}
	t.runtime = newRuntime(&c.Options, c.Bundle, e.Namespace, func(message string) {
		e.Loop.Post(func() { e.warn(message) })
	})
	return t
}

// Create creates a container. done is given its process, or 0 where that comes
// when the container is started.
func (e *Engine) Create(c *Create, done func(pid int, err error)) {
	if e.tasks[c.ID] != nil {
		done(0, refuse(AlreadyExists, "task %s: already exists", c.ID))
		return
	}
	t := e.newTask(c)
	var err error
	if t.journal, err = newJournal(c.Bundle); err == nil {
		t.keepJournal()
		err = t.journal.add(record{Kind: recordCreate, Create: c, Number: t.init.number})
	}
	if err != nil {
		done(0, err)
		return
	}
	e.tasks[c.ID] = t
	e.keep(t.init.number, map[string]*os.File{journalKey: t.journal.file})
	var b born
	var io *stdio.Streams
	place := t.init.place()
	e.work(func() { b, io, err = t.make(place) }, func() {
		t.init.io = io
		if err == nil {
			err = t.made(b)
		}
		if err != nil {
			t.abandon(func() { done(0, err) })
			return
		}
		e.Publish(Event{Kind: Created, Task: c.ID, Pid: b.pid, Create: c})
		done(b.pid, nil)
		t.init.settle(created)
	})
}

// keepJournal has the keeper follow the journal.
func (t *task) keepJournal() {
	t.journal.warn = t.engine.warn
	t.journal.keep = func(f *os.File) error { return t.engine.Keeper.Keep(key(t.init.number, journalKey), f) }
}

// make does what takes time of a creation. What it returns is there also with
// an error.
func (t *task) make(place stdio.Place) (b born, io *stdio.Streams, err error) {
	if err := mountRootfs(t.create); err != nil {
		return b, nil, err
	}
	if io, err = stdio.Open(place); err != nil {
		return b, nil, err
	}
	if t.create.Checkpoint != "" {
		return b, io, nil
	}
	defer io.CloseChild()
	b, err = t.runtime.traced(t.create.Trace).create(t.create, t.init.outlets(io))
	if err != nil {
		err = fmt.Errorf("OCI runtime create failed: %w", err)
	}
	return b, io, err
}

// place is where the process's streams lead. It belongs to the loop.
func (p *process) place() stdio.Place {
	c, s := p.task.create, p.streams
	place := stdio.Place{
		Stdin: s.Stdin, Stdout: s.Stdout, Stderr: s.Stderr, Terminal: s.Terminal,
		UID: c.Options.UID, GID: c.Options.GID, ID: c.ID, Namespace: p.engine.Namespace,
	}
	if p.engine.Own != nil {
		place.Own = p.engine.Own(c.ID, p.id)
	}
	return place
}

// outlets are what the process is given.
func (p *process) outlets(io *stdio.Streams) outlets {
	o := outlets{stdio: io.Child, pidFile: p.pidFile()}
	if p.streams.Terminal {
		o.console = io.SetMaster
	}
	return o
}

// pidFile is where other programs look for a process's pid.
// Compat(containerd): the names are its own shim's; nerdctl reads them.
func (p *process) pidFile() string {
	name := p.id
	if name == "" {
		name = "init"
	}
	return filepath.Join(p.task.create.Bundle, name+".pid")
}

// made takes a container over that is there.
func (t *task) made(b born) error {
	if b.pid == 0 {
		return nil
	}
	t.private = ownsPidNamespace(b.pid)
	return t.init.begin(b)
}

// begin waits for a process, and moves its streams.
func (p *process) begin(b born) error {
	if err := p.born(b); err != nil {
		return err
	}
	p.engine.keep(p.number, p.io.Files())
	if err := p.startIO(); err != nil {
		return err
	}
	if p.closed {
		p.io.CloseInput()
	}
	if p.id == "" {
		p.task.watchOOM()
	}
	return nil
}

// startIO moves the streams. What has ended is not kept any longer: whoever
// reads an output, or writes an input, is to hear of the end.
func (p *process) startIO() error {
	return p.io.Start(p.engine.Loop, func(names []string) { p.engine.drop(p.number, names) })
}

// abandon removes what there is of a container that could not be created.
func (t *task) abandon(then func()) {
	e := t.engine
	var err error
	e.work(func() { err = t.undo(nil) }, func() {
		if err != nil {
			e.warn(err.Error())
		}
		t.forget()
		then()
		t.dismiss()
	})
}

// undo removes the container and its mounts.
func (t *task) undo(trace Trace) error {
	return errors.Join(t.runtime.traced(trace).remove(t.create.ID), UnmountRootfs(t.create.Bundle))
}

// forget gives back what this process holds of the task.
func (t *task) forget() {
	for _, p := range t.execs {
		p.discard()
	}
	t.closeOOM()
	t.init.discard()
	t.journal.file.Close()
	t.engine.Keeper.Drop(key(t.init.number, journalKey))
	os.Remove(t.journal.path)
	delete(t.engine.tasks, t.create.ID)
}

// notRunning refuses what needs the container's first process.
func (t *task) notRunning() error {
	return refuse(FailedPrecondition, "container %s init process is not running: failed precondition", t.create.ID)
}

// dismiss refuses what waited for the container's end, or its processes'.
func (t *task) dismiss() {
	for _, p := range t.execs {
		p.dismiss()
	}
	t.init.dismiss()
}

// alone tells whether none of the further processes runs. Those that do not
// end with the container are ended.
func (t *task) alone() bool {
	alone := true
	for _, p := range t.execs {
		if p.pid != 0 && !p.told || p.state == starting {
			alone = false
		}
	}
	if !t.private && !t.killing {
		t.killing = true
		t.engine.work(func() { t.runtime.kill(t.create.ID, unix.SIGKILL, true) }, func() {})
	}
	return alone
}

// start runs the program of a container.
func (t *task) start(trace Trace, done func(pid int, err error)) {
	p := t.init
	var b born
	var err error
	io, place := p.io, p.place()
	if err := t.journal.add(record{Kind: recordStarting}); err != nil {
		done(0, err)
		p.settle(created)
		return
	}
	t.engine.work(func() { b, io, err = t.startOrRestore(t.runtime.traced(trace), io, place) }, func() {
		p.io = io
		if err == nil && b.pid != 0 {
			err = t.made(b)
		}
		if err != nil {
			t.journal.add(record{Kind: recordNotStarted})
			done(0, err)
			p.settle(created)
			return
		}
		t.journal.add(record{Kind: recordStarted})
		t.engine.Publish(Event{Kind: Started, Task: t.create.ID, Pid: p.pid})
		done(p.pid, nil)
		p.settle(running)
	})
}

// startOrRestore does what takes time of it. The streams of a container that is
// to be restored may have been another supervisor's.
func (t *task) startOrRestore(runtime maker, io *stdio.Streams, place stdio.Place) (b born, _ *stdio.Streams, err error) {
	if t.create.Checkpoint == "" || t.init.pid != 0 {
		if err = runtime.start(t.create.ID); err != nil {
			err = fmt.Errorf("OCI runtime start failed: %w", err)
		}
		return b, io, err
	}
	if io == nil {
		if io, err = stdio.Open(place); err != nil {
			return b, nil, err
		}
	}
	defer io.CloseChild()
	b, err = runtime.restore(t.create, t.init.outlets(io))
	if err != nil {
		err = fmt.Errorf("OCI runtime restore failed: %w", err)
	}
	return b, io, err
}

// remove removes a container, once its output has been read.
func (t *task) remove(trace Trace, done func(pid int, exit Exit, err error)) {
	e, p := t.engine, t.init
	left := 2
	var err error
	finish := func() {
		if left--; left > 0 {
			return
		}
		if err != nil { // it is there, and can be deleted again
			done(0, Exit{}, fmt.Errorf("OCI runtime delete failed: %w", err))
			p.lateEnd()
			p.settle(stopped)
			return
		}
		p.lateEnd()
		pid, exit := p.pid, p.exit
		t.forget()
		e.Publish(Event{Kind: Deleted, Task: t.create.ID, Pid: pid, Exit: exit})
		done(pid, exit, nil)
		t.dismiss()
	}
	if p.io == nil {
		finish()
	} else {
		p.io.Finish(func(lost int64) {
			p.tellLost(lost)
			finish()
		})
	}
	e.work(func() { err = t.undo(trace) }, finish)
}

// lateEnd is for a process that ended by being removed.
func (p *process) lateEnd() {
	if p.pidfd != nil && !p.ended {
		p.readable()
	}
	if !p.ended {
		p.ended, p.exit = true, Exit{128 + uint32(unix.SIGKILL), time.Now()}
	}
	if !p.told && p.pid != 0 {
		p.told = true
		p.engine.Publish(Event{Kind: Exited, Task: p.task.create.ID, Exec: p.id, Pid: p.pid, Exit: p.exit})
	}
}

func (p *process) tellLost(lost int64) {
	if lost > 0 {
		p.engine.warn(fmt.Sprintf("process %d of container %s: nobody has read the last %d bytes of its output for %v: they are lost", p.pid, p.task.create.ID, lost, stdio.Patience))
	}
}
