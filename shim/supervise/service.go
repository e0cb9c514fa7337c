package supervise

import (
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// method answers a call.
type method func(s *supervisor, r *ttrpc.Request, answer ttrpc.Answer)

// takes is a method that takes a message.
func takes[T any, P interface {
	*T
	protobuf.Message
}](call func(s *supervisor, peer ttrpc.Peer, m *T, answer ttrpc.Answer)) method {
	return func(s *supervisor, r *ttrpc.Request, answer ttrpc.Answer) {
		m := new(T)
		if err := protobuf.Unmarshal(r.Payload, P(m)); err != nil {
			answer(nil, ttrpc.Errorf(ttrpc.InvalidArgument, "%v", err))
			return
		}
		call(s, r.Peer, m, answer)
	}
}

// methods are those of the service of ours.
var methods = map[string]method{
	methodReady:  takes((*supervisor).awaitReady),
	methodWait:   takes((*supervisor).wait),
	methodEnd:    takes((*supervisor).awaitEnd),
	methodStop:   takes((*supervisor).stop),
	methodOutput: takes((*supervisor).giveOutput),
	methodInput:  takes((*supervisor).takeInput),
	methodExec:   takes((*supervisor).exec),
	methodStill:  takes((*supervisor).keepStill),
	methodLetGo:  takes((*supervisor).letGo),
}

// handle answers calls of the task service and of ours.
func (s *supervisor) handle(r *ttrpc.Request, answer ttrpc.Answer) {
	s.worked()
	if r.Service != service {
		if r.Method == "Kill" {
			s.killing(r.Payload)
		}
		s.tasks.Handle(r, answer)
		return
	}
	call := methods[r.Method]
	if call == nil {
		answer(nil, ttrpc.Errorf(ttrpc.Unimplemented, "method %s of %s: not implemented", r.Method, r.Service))
		return
	}
	call(s, r, answer)
}

// killing is before a signal that a user sends: a container that ends by one of those
// that ask for an end is not started again.
// Compat(moby): its kill.
func (s *supervisor) killing(request []byte) {
	m := api.KillRequest{}
	if protobuf.Unmarshal(request, &m) != nil || m.ExecID != "" || s.state.StoppedByUser {
		return
	}
	own, err := s.stopSignal(0)
	switch sig := unix.Signal(m.Signal); {
	case sig == unix.SIGKILL, sig == unix.SIGTERM, sig == unix.SIGINT, sig == unix.SIGQUIT, err == nil && sig == own:
		s.state.StoppedByUser = true
		s.save()
	}
}

func (s *supervisor) awaitReady(peer ttrpc.Peer, _ *protobuf.Empty, answer ttrpc.Answer) {
	done := func(r *readyReply) { answer(r, nil) }
	if s.answer != nil {
		done(s.answer)
		return
	}
	s.ready = append(s.ready, waiter[*readyReply]{peer, done})
}

func (s *supervisor) awaitEnd(peer ttrpc.Peer, _ *protobuf.Empty, answer ttrpc.Answer) {
	done := func(struct{}) { answer(&protobuf.Empty{}, nil) }
	if s.over {
		done(struct{}{})
		return
	}
	s.ends = append(s.ends, waiter[struct{}]{peer, done})
}

func (s *supervisor) wait(peer ttrpc.Peer, m *waitRequest, answer ttrpc.Answer) {
	p, err := s.find(m.Exec)
	if err != nil {
		answer(nil, err)
		return
	}
	done := func(status uint32) { answer(&waitReply{status}, nil) }
	if p.status != nil {
		done(*p.status)
		return
	}
	p.waiting = append(p.waiting, waiter[uint32]{peer, done})
}

func (s *supervisor) find(exec string) (*process, error) {
	if exec == "" {
		return s.first, nil
	}
	if p := s.execs[exec]; p != nil {
		return p, nil
	}
	return nil, ttrpc.Errorf(ttrpc.NotFound, "No such exec instance: %s", exec)
}

// awaitedReader stands for the client that is going to read from the beginning.
const awaitedReader = "awaited"

func (s *supervisor) giveOutput(peer ttrpc.Peer, m *outputRequest, answer ttrpc.Answer) {
	p, err := s.find(m.Exec)
	if err != nil {
		answer(nil, err)
		return
	}
	if s.peers[peer] == nil {
		s.peers[peer] = map[*process]string{}
	}
	s.peers[peer][p] = m.Reader
	p.output(&outputCall{peer, m, func(r *outputReply, err error) {
		answer(r, err)
		if p == s.first && err == nil && r.Ended[0] && r.Ended[1] {
			p.leave(m.Reader) // what was sent arrives, also when this process is killed
		}
	}})
	if m.At[0] == 0 {
		p.claimed()
	}
}

func (s *supervisor) takeInput(_ ttrpc.Peer, m *inputRequest, answer ttrpc.Answer) {
	p, err := s.find(m.Exec)
	if err != nil {
		answer(nil, err)
		return
	}
	p.take(&inputCall{m.Data, m.End, func(err error) { answer(&protobuf.Empty{}, err) }})
}

// gone is after the end of a client's connection. It may come again.
func (s *supervisor) gone(peer ttrpc.Peer) {
	readers := s.peers[peer]
	delete(s.peers, peer)
	for p, reader := range readers {
		p.forget(peer)
		p.leave(reader)
	}
	s.first.forget(peer)
	for _, p := range s.execs {
		p.forget(peer)
	}
	s.ready, s.ends, s.still.later = without(s.ready, peer), without(s.ends, peer), without(s.still.later, peer)
	if s.still.clients[peer] {
		delete(s.still.clients, peer)
		s.settle(func(error) {})
	}
}

// changed is told how many clients there are.
func (s *supervisor) changed(connections int) {
	s.connections = connections
	s.worked()
	s.leave()
}
