package supervise

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/engine"
	"github.com/davit-containers/davit/shim/loop"
)

// goOn begins, or goes on where a supervisor before this one was killed.
func (s *supervisor) goOn() {
	info, err := s.engine.State(s.c.Config.ID, "")
	switch {
	case err != nil && s.ran():
		s.next(s.first.outputs[0].Exit - 1)
	case err != nil:
		s.launch()
	case info.Starting: // it has its network
		s.start()
	case info.Status == "created" && info.Pid != 0:
		s.attach(info.Pid)
	case info.Status == "running":
		s.running(info.Pid)
		s.setStatus(container.Running)
	case info.Status == "paused":
		s.running(info.Pid)
		s.foundPaused()
	}
	// What is being created is abandoned, and then launched; of an end that nobody
	// was told of the engine tells.
}

// ran tells whether the container was started, has ended and was cleaned up.
func (s *supervisor) ran() bool { return s.first.outputs[0].Exit != 0 }

// note keeps how the container ended, or 0 where it is about to be started.
func (s *supervisor) note(exit int64) {
	o := s.first.outputs[0]
	o.Exit = exit
	if err := o.header.write(o.file); err != nil {
		s.warn(err.Error())
	}
}

// launch creates the container, and starts it.
func (s *supervisor) launch() {
	s.restart, s.failing = nil, false
	s.reload()
	s.note(0)
	s.first.status = nil
	if s.c.Config.Interactive {
		if err := s.first.openInput(); err != nil {
			s.failed(err)
			return
		}
	}
	s.work(s.step(s.host.Prepare), func(err error) {
		if err != nil {
			s.failed(err)
			return
		}
		s.engine.Create(s.create(), func(pid int, err error) {
			s.first.started()
			if err == nil {
				err = noteProcess(s.c, pid) // whoever ends it, if nobody else lives, has to enter its namespace
			}
			if err != nil {
				s.failed(err)
				return
			}
			s.attach(pid)
		})
	})
}

// step is one of the host's.
func (s *supervisor) step(do func(context.Context, *container.Container) error) func() error {
	c := s.c
	return func() error {
		if do == nil {
			return nil
		}
		return do(context.Background(), c)
	}
}

// reload reads the configuration anew, which others may have changed.
func (s *supervisor) reload() {
	c, err := container.OpenDir(s.c.Dir())
	if err != nil {
		if !errors.Is(err, container.ErrNotExist) {
			s.warn(err.Error())
		}
		return
	}
	s.c, s.events.c = c, c
}

// create is what the engine is asked for.
func (s *supervisor) create() *engine.Create {
	return &engine.Create{
		ID: s.c.Config.ID, Bundle: s.c.Bundle(), Streams: engine.Streams{Terminal: s.c.Config.Terminal},
		Options: engine.Options{Root: s.c.Store().Runtime(), Filters: s.c.Store().Filters(), Systemd: s.c.Config.SystemdCgroup},
	}
}

// attach connects the container to its network, and has its program started.
func (s *supervisor) attach(pid int) {
	c := s.c
	s.work(func() error {
		if s.host.Attach == nil {
			return nil
		}
		return s.host.Attach(context.Background(), c, pid)
	}, func(err error) {
		if err != nil {
			s.failed(err)
			return
		}
		s.start()
	})
}

// start starts the program.
func (s *supervisor) start() {
	s.starting = time.Now().UTC()
	s.engine.Start(s.c.Config.ID, "", func(pid int, err error) {
		info, _ := s.engine.State(s.c.Config.ID, "")
		switch {
		case err == nil, info.Status == "running": // or a supervisor before this one had begun it
			s.running(info.Pid)
		case info.Status != "stopped": // of which the engine tells
			s.failed(err)
		}
	})
}

// running is after the start.
func (s *supervisor) running(pid int) {
	if s.state.Pid != pid {
		s.state.Status, s.state.Pid, s.state.Error, s.state.OOMKilled = container.Running, pid, "", false
		s.state.ExitCode, s.state.StartedAt = 0, s.starting
		s.health.reset()
		s.save()
		s.events.note("start", nil)
	}
	if s.state.Stopping { // and a supervisor before this one was killed
		s.stopLater(s.c.Config.StopAfter())
	}
	s.tellReady(&readyReply{Pid: uint32(pid)})
	s.health.begin()
	s.worked()
}

func (s *supervisor) tellReady(r *readyReply) {
	if s.answer == nil {
		s.answer = r
	}
	ready := s.ready
	s.ready = nil
	for _, w := range ready {
		w.tell(s.answer)
	}
}

// save writes the state, before anybody is told of it.
func (s *supervisor) save() {
	if err := s.c.SetState(s.state); err != nil && !errors.Is(err, container.ErrNotExist) {
		s.log("error", err.Error())
	}
}

func (s *supervisor) setStatus(status container.Status) {
	if s.state.Status != status {
		s.state.Status = status
		s.save()
	}
}

// failed is after a start that failed. The first of a supervisor is not tried
// again; those of the restart policy are.
func (s *supervisor) failed(cause error) {
	s.reload()
	s.failing = true // the end of what was created is no end of the program
	s.engine.Delete(s.c.Config.ID, "", func(_ int, _ engine.Exit, err error) {
		s.work(s.step(s.host.Detach), func(err error) {
			if err != nil {
				s.warn(err.Error())
			}
			s.state.Error, s.state.ExitCode, s.state.Pid = cause.Error(), exitCodeOf(cause.Error()), 0
			s.state.FinishedAt = time.Now().UTC()
			s.note(int64(s.state.ExitCode) + 1)
			again := s.answer != nil && s.wantsRestart(s.state.ExitCode)
			s.state.Status = container.Exited
			switch {
			case again:
				s.state.Status = container.Restarting
				s.state.RestartCount++ // once for each end
			case s.state.StartedAt.IsZero():
				s.state.Status = container.Created // Compat(moby): never ran
			}
			s.save()
			if s.answer == nil {
				s.first.unawait() // who would read is told that there is nothing
			}
			s.tellReady(&readyReply{Error: cause.Error()})
			s.first.exited(uint32(s.state.ExitCode))
			s.next(int64(s.state.ExitCode))
		})
	})
}

// happened hears the engine.
func (s *supervisor) happened(e *engine.Event) {
	switch {
	case e.Kind == engine.Exited && e.Exec == "":
		if !s.failing {
			s.exited(e.Exit)
		}
	case e.Kind == engine.Exited:
		s.execExited(e.Exec, e.Exit)
	case e.Kind == engine.OutOfMemory:
		s.state.OOMKilled = true
		s.save()
		s.events.note("oom", nil)
	case e.Kind == engine.Paused:
		s.health.stop()
		if len(s.still.clients) == 0 {
			s.setStatus(container.Paused)
		}
		s.events.note("pause", nil)
	case e.Kind == engine.Resumed:
		s.setStatus(container.Running)
		s.health.begin()
		s.events.note("unpause", nil)
	}
	s.worked()
}

// exited is after the end of the container's first process.
func (s *supervisor) exited(x engine.Exit) {
	s.reload()
	s.health.stop()
	s.kill.Stop()
	s.still.paused = false
	clear(s.still.clients)
	s.moved()
	if !s.state.FinishedAt.Equal(x.At) {
		s.state.Status = container.Exited
		s.state.Pid, s.state.ExitCode, s.state.FinishedAt = 0, int(x.Status), x.At.UTC()
		if s.wantsRestart(int(x.Status)) {
			s.state.Status = container.Restarting
			s.state.RestartCount++ // once for each end
		}
		s.save()
		s.events.note("die", exitAttributes(x.Status))
	}
	s.note(int64(x.Status) + 1)
	s.tellReady(&readyReply{})
	s.engine.Delete(s.c.Config.ID, "", func(_ int, _ engine.Exit, err error) {
		if err != nil {
			s.log("error", err.Error())
		}
		s.work(s.step(s.host.Detach), func(err error) {
			if err != nil {
				s.log("error", err.Error())
			}
			s.next(int64(x.Status))
		})
	})
}

// next is after the end, when nothing is left of the container's processes: it is
// started again, or is over.
func (s *supervisor) next(status int64) {
	if s.state.Status == container.Restarting {
		s.first.exited(uint32(status))
		s.startLater()
		return
	}
	// Who finds no socket any more does not come.
	s.hold(func() bool { return !s.first.awaits() }, func() { s.conclude(status) })
}

// hold goes on when there is nobody to wait for any more, or when it has waited.
func (s *supervisor) hold(done func() bool, then func()) {
	if done() {
		then()
		return
	}
	var timer *loop.Timer
	goOn := func() {
		s.late = nil
		timer.Stop()
		s.first.unawait()
		then()
	}
	s.late = func() {
		if done() {
			goOn()
		}
	}
	timer = s.loop.After(returnTime, goOn)
}

// conclude ends the log, and tells everybody that the container has ended for good.
func (s *supervisor) conclude(status int64) {
	s.first.endOutputs()
	s.logger.close()
	s.first.exited(uint32(status))
	s.hold(func() bool { return !s.first.readers() }, s.clear)
}

// clear removes the container, where it is to be, and finishes.
func (s *supervisor) clear() {
	if !s.c.Config.AutoRemove {
		s.finish()
		return
	}
	s.work(s.step(s.host.Remove), func(err error) {
		if err != nil {
			s.log("error", err.Error())
		}
		s.finish()
	})
}

// returnTime is how long a client is awaited that is going to read what a container
// wrote which has ended.
const returnTime = 3 * time.Second

// finish gives way to another supervisor, and tells that all is cleaned up.
func (s *supervisor) finish() {
	s.over = true
	for _, name := range []string{socketName, exitsName} {
		os.Remove(filepath.Join(s.c.Run(), name))
	}
	os.Remove(s.c.Run())
	s.c.Store().TidyRun()
	s.unlock()
	for _, w := range s.ends {
		w.tell(struct{}{})
	}
	s.leave()
}

// unmark says that nothing is left to be cleaned up.
func (s *supervisor) unmark() {
	if err := container.End(s.locked); err != nil {
		s.warn(err.Error())
	}
}

// leave ends the supervisor when nobody is connected any more: they may have to
// read, and to ask how it ended. Nobody else waits for this process.
func (s *supervisor) leave() {
	if s.late != nil {
		s.late()
	}
	if s.over && s.connections == 0 && s.events.idle() {
		s.loop.Stop()
	}
}
