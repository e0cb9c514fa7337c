package engine

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/stdio"
)

// recovery is what a supervisor finds that another left.
type recovery struct {
	engine *Engine
	files  map[int]map[string]*os.File // by process and name
}

// recover goes on with what another supervisor left to the keeper.
func (e *Engine) recover() error {
	r := &recovery{engine: e, files: map[int]map[string]*os.File{}}
	for key, file := range e.Keeper.Kept {
		number, name, found := strings.Cut(key, ".")
		n, err := strconv.Atoi(number)
		if !found || err != nil {
			continue
		}
		if r.files[n] == nil {
			r.files[n] = map[string]*os.File{}
		}
		r.files[n][name] = file
		e.number = max(e.number, n)
	}
	for n, files := range r.files {
		if journal := files[journalKey]; journal != nil {
			r.task(n, journal)
		}
	}
	return nil
}

// task goes on with one container.
func (r *recovery) task(number int, file *os.File) {
	records, err := readJournal(file)
	var j *journal
	if err == nil {
		j, err = resumeJournal(file, records[0].Create.Bundle)
	}
	if err != nil {
		r.engine.Log("error", err.Error())
		r.engine.Keeper.Drop(key(number, journalKey))
		file.Close()
		return
	}
	t := r.engine.newTask(records[0].Create)
	t.init.number = number
	t.journal = j
	t.keepJournal()
	j.shorten()
	for _, record := range records {
		t.replay(&record)
	}
	r.engine.tasks[t.create.ID] = t
	if t.init.state == creating {
		// The creation was interrupted, and whoever asked for it knows.
		t.abandon(func() {
			if r.engine.Abandoned != nil {
				r.engine.Abandoned(t.create.ID)
			}
		})
		return
	}
	r.process(t.init)
	for _, p := range t.execs {
		r.process(p)
	}
	switch t.init.state {
	case starting:
		t.finishStart()
	case resuming:
		t.finishResume()
	}
}

// finishResume ends a pause, or the end of one, in which a supervisor was killed:
// nobody was told that the container is paused, or else that it still is.
func (t *task) finishResume() {
	p := t.init
	ended := p.ended
	t.engine.work(func() {
		if !ended {
			_ = t.runtime.resume(t.create.ID) // it may not be paused
		}
	}, func() {
		t.journal.add(record{Kind: recordResumed})
		t.engine.Publish(Event{Kind: Resumed, Task: t.create.ID})
		p.settle(running)
	})
}

// finishStart ends a start in which a supervisor was killed. The container may
// have heard of it, and not hear another: then its program runs, or has ended.
func (t *task) finishStart() {
	p := t.init
	if p.pid == 0 { // it was to be restored, and has not been
		t.engine.work(func() { t.runtime.remove(t.create.ID) }, func() { p.settle(created) })
		return
	}
	ended := p.ended
	t.engine.work(func() {
		if !ended {
			t.runtime.start(t.create.ID)
		}
	}, func() {
		t.journal.add(record{Kind: recordStarted})
		t.engine.Publish(Event{Kind: Started, Task: t.create.ID, Pid: p.pid})
		p.settle(running)
	})
}

// replay repeats what a record says.
func (t *task) replay(r *record) {
	p := t.init
	if r.Exec != "" {
		p = t.execs[r.Exec]
	}
	switch {
	case r.Kind == recordCreate && r.Create.Checkpoint != "":
		p.state = created
	case r.Kind == recordExec:
		t.execs[r.Exec] = t.newExec(r.Exec, r.Number, *r.Stream, r.Spec)
	case r.Kind == recordOOM:
		t.toldOOM = true
	case r.Kind == recordDeleted:
		delete(t.execs, r.Exec)
	case p != nil:
		p.replay(r)
	}
}

func (p *process) replay(r *record) {
	switch r.Kind {
	case recordBorn:
		p.pid, p.startedAt, p.since, p.state = r.Pid, r.Start, *r.At, created
		if p.id != "" {
			p.state = running
		}
	case recordStarting:
		p.state = starting
	case recordNotStarted:
		p.state = created
		if p.id != "" {
			p.failExec()
			p.state = stopped
		}
	case recordStarted, recordResumed:
		p.state = running
	case recordFreezing:
		p.state = resuming
	case recordPaused:
		p.state = paused
	case recordExit:
		p.ended, p.exit = true, Exit{r.Status, *r.At}
	}
}

// process goes on with one process.
func (r *recovery) process(p *process) {
	if p.pid == 0 && p.id != "" && p.state == starting {
		p.abandonExec()
	}
	if p.pid == 0 {
		return
	}
	r.streams(p)
	if p.ended {
		p.io.Exited()
		if !p.state.passing() {
			p.settle(p.state)
		}
		return
	}
	if p.id == "" {
		p.task.missedOOM()
	}
	pidfd, err := openProcess(p.pid, p.startedAt)
	if err != nil {
		r.missed(p)
		return
	}
	p.pidfd = pidfd
	if err := p.await(); err != nil {
		r.engine.Log("error", err.Error())
	}
	if p.id == "" {
		p.task.private = ownsPidNamespace(p.pid)
		p.task.watchOOM()
	}
}

func (r *recovery) streams(p *process) {
	p.io = stdio.Resume(p.place(), r.files[p.number])
	if err := p.startIO(); err != nil {
		r.engine.Log("error", err.Error())
	}
}

// missed is for a process that has ended while nobody was there. Its exit may be
// written down only now, so what the keeper has written is read anew for each.
func (r *recovery) missed(p *process) {
	if x, ok := r.engine.written()[p.pid]; ok && x.At.After(p.since) {
		p.end(Exit{x.Status, x.At})
		return
	}
	p.askKeeper()
}

// openProcess opens the process that has had the pid since the start time.
// ESRCH: it is gone.
func openProcess(pid int, start uint64) (*os.File, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, err
	}
	// In this order: what started then had the number when it was opened.
	if now, err := startTime(pid); err != nil || now != start {
		unix.Close(fd)
		return nil, unix.ESRCH
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}
