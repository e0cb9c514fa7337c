package supervise

import (
	"reflect"
	"testing"

	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// newPeer is a client that is only told from others.
func newPeer() ttrpc.Peer {
	kind := reflect.TypeFor[ttrpc.Peer]()
	return reflect.New(kind.Elem()).Convert(kind).Interface().(ttrpc.Peer)
}

// Nothing is kept of a client that has gone while it waited; others are answered.
// CVE-2022-23471.
func TestGone(t *testing.T) {
	s := &supervisor{first: &process{idle: func() {}}, execs: map[string]*process{"x": {idle: func() {}}}, peers: map[ttrpc.Peer]map[*process]string{}}
	stays, answered := newPeer(), 0
	for _, peer := range []ttrpc.Peer{newPeer(), stays, newPeer()} {
		answer := func(protobuf.Message, error) {
			if answered++; peer != stays {
				t.Error("one that has gone is answered")
			}
		}
		s.wait(peer, &waitRequest{}, answer)
		s.wait(peer, &waitRequest{Exec: "x"}, answer)
		s.awaitReady(peer, &protobuf.Empty{}, answer)
		s.awaitEnd(peer, &protobuf.Empty{}, answer)
		if peer != stays {
			s.gone(peer)
		}
	}
	if n := len(s.first.waiting) + len(s.execs["x"].waiting) + len(s.ready) + len(s.ends); n != 4 {
		t.Errorf("%d wait", n)
	}
	s.first.exited(0)
	s.execs["x"].exited(0)
	s.tellReady(&readyReply{})
	if answered != 3 {
		t.Errorf("%d were answered", answered)
	}
}
