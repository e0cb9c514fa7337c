package engine

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/spec"
	"github.com/davit-containers/davit/shim/stdio"
)

// addExec adds a process that is to be started.
func (t *task) addExec(id string, s Streams, spec []byte) error {
	if t.execs[id] != nil {
		return refuse(AlreadyExists, "id %s: already exists", id)
	}
	if id == "" || strings.ContainsAny(id, "/\x00") || id == "." || id == ".." {
		return refuse(InvalidArgument, "exec id %q: invalid argument", id)
	}
	p := t.newExec(id, t.engine.next(), s, spec)
	if err := t.journal.add(record{Kind: recordExec, Exec: id, Number: p.number, Stream: &s, Spec: spec}); err != nil {
		return err
	}
	t.execs[id] = p
	return nil
}

func (t *task) newExec(id string, number int, s Streams, spec []byte) *process {
	return &process{engine: t.engine, task: t, id: id, number: number, table: &ofExecs, state: created, streams: s, spec: spec}
}

// startExec starts the process.
func (p *process) startExec(done func(pid int, err error)) {
	p.since = time.Now()
	t := p.task
	var b born
	var io *stdio.Streams
	var err error
	if err := t.journal.add(record{Kind: recordStarting, Exec: p.id}); err != nil {
		done(0, err)
		p.settle(created)
		return
	}
	place := p.place()
	t.engine.work(func() { b, io, err = p.makeExec(place) }, func() {
		p.io = io
		if err == nil {
			err = p.begin(b)
		}
		if err != nil {
			t.journal.add(record{Kind: recordNotStarted, Exec: p.id})
			if t.init.over() {
				err = t.notRunning()
			}
			p.failExec()
			done(0, err)
			p.settle(stopped)
			return
		}
		t.engine.Publish(Event{Kind: ExecStarted, Task: t.create.ID, Exec: p.id, Pid: p.pid})
		done(p.pid, nil)
		p.settle(running)
	})
}

// makeExec does what takes time of it. What it returns is there also with an
// error.
func (p *process) makeExec(place stdio.Place) (b born, io *stdio.Streams, err error) {
	t := p.task
	process, err := spec.DecodeProcess(p.spec)
	if err != nil {
		return b, nil, refuse(InvalidArgument, "%v: invalid argument", err)
	}
	process.Terminal = p.streams.Terminal
	if io, err = stdio.Open(place); err != nil {
		return b, nil, err
	}
	defer io.CloseChild()
	b, err = t.runtime.exec(t.create.ID, process, p.outlets(io))
	if err != nil {
		err = fmt.Errorf("OCI runtime exec failed: %w", err)
	}
	return b, io, err
}

// failExec marks a process that could not be started as ended, and nobody is
// told of its end: it never was.
func (p *process) failExec() {
	p.ended, p.told, p.state = true, true, stopped
	p.exit = Exit{unknownStatus, time.Now()}
	if p.io != nil {
		p.io.Close()
	}
	p.release()
	p.task.otherEnded()
}

// removeExec forgets the process, once its output has been read.
func (p *process) removeExec(done func(pid int, exit Exit, err error)) {
	finish := func(lost int64) {
		p.tellLost(lost)
		p.task.journal.add(record{Kind: recordDeleted, Exec: p.id})
		delete(p.task.execs, p.id)
		os.Remove(p.pidFile())
		p.discard()
		done(p.pid, p.exit, nil)
		p.dismiss()
	}
	if p.io == nil || p.pid == 0 {
		finish(0)
		return
	}
	p.io.Finish(finish)
}

// abandonExec ends a start in which a supervisor was killed: whoever asked for it
// knows, and its streams are gone. A process that is there all the same is killed.
func (p *process) abandonExec() {
	t := p.task
	var err error
	t.engine.work(func() { err = t.killStray(p.pidFile()) }, func() {
		if err != nil {
			t.engine.warn(err.Error())
		}
		t.journal.add(record{Kind: recordNotStarted, Exec: p.id})
		p.failExec()
		p.settle(stopped)
	})
}

// killStray kills the process that a file has the pid of, if it is the
// container's.
func (t *task) killStray(pidFile string) error {
	b, err := bornOf(pidFile)
	if errors.Is(err, os.ErrNotExist) || err == nil && b.pidfd == nil {
		return nil
	}
	if err != nil {
		return err
	}
	defer b.pidfd.Close()
	pids, err := t.runtime.pids(t.create.ID)
	if err != nil || !slices.Contains(pids, b.pid) {
		return err
	}
	if err = unix.PidfdSendSignal(int(b.pidfd.Fd()), unix.SIGKILL, nil, 0); err == unix.ESRCH {
		return nil
	}
	return err
}
