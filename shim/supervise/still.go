package supervise

import (
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// still is a pause for as long as clients read a container's files. It is no user's
// pause: the container is said to run, and goes on when the last of these clients
// lets go, or its connection ends.
type still struct {
	clients  map[ttrpc.Peer]bool
	paused   bool // for their sake
	changing bool
	waiting  []func(error) // who is told when it is as it should be
	later    []waiter[struct{}]
}

// moving does what cannot be done while clients keep the container still, when they no
// longer do.
func (s *supervisor) moving(peer ttrpc.Peer, do func()) {
	if !s.still.paused && !s.still.changing {
		do()
		return
	}
	s.still.later = append(s.still.later, waiter[struct{}]{peer, func(struct{}) { do() }})
}

// moved is when nobody keeps the container still any more, or it has ended.
func (s *supervisor) moved() {
	later := s.still.later
	s.still.later = nil
	for _, w := range later {
		w.tell(struct{}{})
	}
}

// keepStill pauses the container for a client, if it runs.
func (s *supervisor) keepStill(peer ttrpc.Peer, _ *protobuf.Empty, answer ttrpc.Answer) {
	if s.state.Status != container.Running {
		answer(&protobuf.Empty{}, nil)
		return
	}
	if s.still.clients == nil {
		s.still.clients = map[ttrpc.Peer]bool{}
	}
	s.still.clients[peer] = true
	s.settle(func(err error) { answer(&protobuf.Empty{}, err) })
}

// letGo is for a client that has read what it wanted to.
func (s *supervisor) letGo(peer ttrpc.Peer, _ *protobuf.Empty, answer ttrpc.Answer) {
	delete(s.still.clients, peer)
	s.settle(func(err error) { answer(&protobuf.Empty{}, err) })
}

// settle has the container paused, or not, as its clients want it.
func (s *supervisor) settle(done func(error)) {
	s.still.waiting = append(s.still.waiting, done)
	if !s.still.changing {
		s.change()
	}
}

func (s *supervisor) change() {
	wanted := len(s.still.clients) > 0
	if wanted == s.still.paused {
		s.settled(nil)
		return
	}
	s.still.changing = true
	act := s.engine.Resume
	if wanted {
		act = s.engine.Pause
	}
	act(s.c.Config.ID, func(err error) {
		s.still.changing, s.still.paused = false, wanted
		if err == nil {
			s.change()
			return
		}
		// A user was quicker, or the container has ended; or it cannot be paused.
		s.still.paused = false
		clear(s.still.clients)
		if info, gone := s.engine.State(s.c.Config.ID, ""); !wanted || gone != nil || info.Status == "paused" || info.Status == "stopped" {
			err = nil
		}
		s.settled(err)
	})
}

// moveAgain is for a container that is to end, whoever wants it still.
func (s *supervisor) moveAgain() {
	clear(s.still.clients)
	s.settle(func(error) {})
}

func (s *supervisor) settled(err error) {
	waiting := s.still.waiting
	s.still.waiting = nil
	for _, done := range waiting {
		done(err)
	}
	if !s.still.paused {
		s.moved()
	}
}

// foundPaused is after a supervisor before this one was killed. Clients that kept the
// container still are not this one's.
func (s *supervisor) foundPaused() {
	if s.state.Status == container.Paused {
		s.health.stop()
		return
	}
	s.still.paused = true
	s.settle(func(error) {})
}
