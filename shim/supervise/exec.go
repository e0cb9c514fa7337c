package supervise

import (
	"strconv"
	"strings"

	"github.com/davit-containers/davit/shim/engine"
	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// exec starts a further process, after those who keep the container still.
func (s *supervisor) exec(peer ttrpc.Peer, m *execRequest, answer ttrpc.Answer) {
	s.moving(peer, func() { s.execNow(m, answer) })
}

// execNow is exec. A client that lost its connection asks again: what is there is not
// made twice.
func (s *supervisor) execNow(m *execRequest, answer ttrpc.Answer) {
	id := s.c.Config.ID
	info, err := s.engine.State(id, m.ID)
	if p := s.execs[m.ID]; err == nil && info.Pid != 0 || err != nil && p != nil && p.outputs[0].Exit != 0 {
		answer(&protobuf.Empty{}, nil)
		return
	}
	if err == nil { // a start of it was interrupted: what there was has ended
		s.engine.Delete(id, m.ID, func(int, engine.Exit, error) { s.addExec(m, answer) })
		return
	}
	s.addExec(m, answer)
}

// addExec makes the process that is to be started.
func (s *supervisor) addExec(m *execRequest, answer ttrpc.Answer) {
	if err := s.prepareExec(m); err != nil {
		answer(nil, err)
		return
	}
	failed := func(err error) {
		s.dropExec(m.ID)
		answer(nil, err)
	}
	var spec []byte
	c := s.c
	s.work(func() (err error) {
		spec, err = describe(c, &m.Process, m.Terminal)
		return err
	}, func(err error) {
		if err != nil {
			failed(err)
			return
		}
		s.engine.AddExec(s.c.Config.ID, m.ID, engine.Streams{Terminal: m.Terminal}, spec, func(err error) {
			if err != nil {
				failed(err)
				return
			}
			s.events.note("exec_create: "+strings.Join(m.Process.Args, " "), map[string]string{"execID": m.ID})
			s.startExec(m, answer)
		})
	})
}

// prepareExec makes the process's streams, where anybody wants them.
func (s *supervisor) prepareExec(m *execRequest) error {
	if p := s.execs[m.ID]; p != nil && m.Input { // of a supervisor that was killed before it was started
		return p.openInput()
	}
	if s.execs[m.ID] != nil || !m.Output {
		return nil
	}
	p, err := newProcess(s.loop, s.keeper, m.ID, true, m.Input, true)
	if err != nil {
		return err
	}
	s.execs[m.ID] = p
	s.wire(m.ID, p)
	return nil
}

// wire connects a further process's streams with the supervisor.
func (s *supervisor) wire(id string, p *process) {
	for _, o := range p.outputs {
		if o != nil {
			o.again = s.again(id)
		}
	}
	if exit := p.outputs[0].Exit; exit != 0 {
		s.execEnded(id, p, uint32(exit-1))
	}
	p.idle = func() {
		if p.status != nil && !p.readers() {
			s.dropExec(id)
		}
	}
}

func (s *supervisor) startExec(m *execRequest, answer ttrpc.Answer) {
	id := s.c.Config.ID
	s.engine.Start(id, m.ID, func(pid int, err error) {
		if p := s.execs[m.ID]; p != nil {
			p.started()
		}
		if err != nil {
			s.engine.Delete(id, m.ID, func(int, engine.Exit, error) { s.dropExec(m.ID) })
			answer(nil, err)
			return
		}
		s.events.note("exec_start: "+strings.Join(m.Process.Args, " "), map[string]string{"execID": m.ID})
		if m.Width != 0 && m.Height != 0 {
			s.engine.Resize(id, m.ID, m.Width, m.Height, func(error) {})
		}
		answer(&protobuf.Empty{}, nil)
	})
}

// execExited is after the end of a further process. It is told when its output has
// been read, and kept until its client has that.
func (s *supervisor) execExited(id string, x engine.Exit) {
	s.events.note("exec_die", map[string]string{"execID": id, "exitCode": strconv.Itoa(int(x.Status))})
	p := s.execs[id]
	if p != nil {
		o := p.outputs[0]
		o.Exit = int64(x.Status) + 1
		if err := o.header.write(o.file); err != nil {
			s.warn(err.Error())
		}
	}
	s.engine.Delete(s.c.Config.ID, id, func(_ int, _ engine.Exit, err error) {
		if err != nil {
			s.warn(err.Error())
		}
		if p != nil {
			s.execEnded(id, p, x.Status)
		}
	})
}

// execEnded tells of the end.
func (s *supervisor) execEnded(id string, p *process, status uint32) {
	p.endOutputs()
	p.closeInput()
	p.exited(status)
	s.loop.After(patience, func() {
		if s.execs[id] == p {
			p.leave(awaitedReader)
		}
	})
}

// dropExec forgets a further process.
func (s *supervisor) dropExec(id string) {
	if p := s.execs[id]; p != nil {
		delete(s.execs, id)
		p.close()
	}
}
