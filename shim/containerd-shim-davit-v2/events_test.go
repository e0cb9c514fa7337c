package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/internal/privatesocket"
	"github.com/davit-containers/davit/shim/loop"
	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// listen takes events as containerd does, and gives their topics.
func (p *pod) listen(socket string) <-chan string {
	p.t.Helper()
	l, err := loop.New()
	if err != nil {
		p.t.Fatal(err)
	}
	listener, err := privatesocket.Listen(socket)
	if err != nil {
		p.t.Fatal(err)
	}
	topics := make(chan string, 100)
	server := &ttrpc.Server{Loop: l, Handle: func(r *ttrpc.Request, answer ttrpc.Answer) {
		event := api.ForwardRequest{}
		err := protobuf.Unmarshal(r.Payload, &event)
		if err == nil && r.Service+"/"+r.Method == "containerd.services.events.ttrpc.v1.Events/Forward" && event.Envelope.Namespace == "test" {
			topics <- strings.TrimPrefix(event.Envelope.Topic, "/tasks/")
		}
		answer(&protobuf.Empty{}, err)
	}}
	if err := server.Serve(listener); err != nil {
		p.t.Fatal(err)
	}
	go l.Run() // until the test program ends: a supervisor ends when it has told everything
	return topics
}

// Events come in the order that containerd is promised, and those that it was not
// there for come when it is.
func TestEvents(t *testing.T) {
	p := newPod(t)
	p.events = filepath.Join(p.dir, "events")
	topics := p.listen(p.events)
	await := func(want ...string) {
		t.Helper()
		var got []string
		for range want {
			select {
			case topic := <-topics:
				got = append(got, topic)
			case <-time.After(answerTime):
				t.Fatalf("after %q no event comes, and %q were to", got, want)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("the events are %q, want %q", got, want)
		}
	}
	p.run("one", "sleep 1000")
	p.exec("one", "e", "exit 1", 1)
	p.do("Pause", &api.PauseRequest{ID: "one"}, &protobuf.Empty{})
	p.do("Resume", &api.ResumeRequest{ID: "one"}, &protobuf.Empty{})
	p.do("Kill", &api.KillRequest{ID: "one", Signal: 9}, &protobuf.Empty{})
	p.wait("one", "")
	p.delete("one")
	await("create", "start", "exec-added", "exec-started", "exit", "paused", "resumed", "exit", "delete")
}

// Events that containerd was not there for are told when it is, also by another
// supervisor, which may tell one again.
func TestEventsWait(t *testing.T) {
	p := newPod(t)
	p.events = filepath.Join(p.dir, "events")
	p.run("one", "exit 3")
	p.wait("one", "")
	p.kill()
	p.delete("one")
	topics := p.listen(p.events)
	var got []string
	for !slices.Contains(got, "delete") {
		select {
		case topic := <-topics:
			got = append(got, topic)
		case <-time.After(answerTime):
			t.Fatalf("after %q no event comes", got)
		}
	}
	if want := []string{"create", "start", "exit", "delete"}; !slices.Equal(slices.Compact(got), want) {
		t.Errorf("the events are %q, want %q", got, want)
	}
}
