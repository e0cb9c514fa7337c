package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// killQuietly kills the supervisor; its connections stay.
func (p *pod) killQuietly() {
	p.t.Helper()
	if err := unix.Kill(p.supervisor(), unix.SIGKILL); err != nil {
		p.t.Fatal(err)
	}
}

// later makes a call, whose answer comes over the channel.
func (p *pod) later(method string, in, out protobuf.Message) <-chan error {
	p.t.Helper()
	done := make(chan error, 1)
	c := p.connect()
	go func() { done <- c.call(method, in, out) }()
	return done
}

// The peer of a supervisor that is killed notices nothing: its connection goes on,
// and what it waits for is answered by the next one.
func TestConnectionOutlivesSupervisor(t *testing.T) {
	p := newPod(t)
	gate := filepath.Join(p.dir, "bundles/one/rootfs/tmp/gate")
	p.bundle("one", "read x </tmp/gate; exit 3")
	if err := unix.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	p.launch("one")
	client := p.connect()
	w := api.WaitResponse{}
	ended := p.later("Wait", &api.WaitRequest{ID: "one"}, &w)
	for range 3 {
		old := p.supervisor()
		p.killQuietly()
		if now := p.supervisor(); now == old {
			t.Fatalf("the supervisor is still %d", old)
		}
		s := api.StateResponse{}
		p.do("State", &api.StateRequest{ID: "one"}, &s)
		if s.Status != api.Running {
			t.Errorf("one is %d", s.Status)
		}
	}
	if err := os.WriteFile(gate, []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil || w.ExitStatus != 3 {
		t.Errorf("waited for status %d, %v", w.ExitStatus, err)
	}
	p.delete("one")
	if p.client != client {
		t.Error("the connection was made anew")
	}
}

// Whenever a supervisor is killed, each call has one answer: its own, or that the
// supervisor was killed meanwhile, and only where it may have been carried out.
func TestKillsDuringCalls(t *testing.T) {
	p := newPod(t)
	p.run("one", "while :; do sleep 1000; done")
	c, end := p.connect(), make(chan struct{})
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		for i := 0; ; i++ {
			select {
			case <-end:
				return
			default:
			}
			if err := step(c, i); err != nil {
				failed <- err
				return
			}
		}
	}()
	for range *kills {
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond) // a random moment is what is wanted
		p.killQuietly()
	}
	close(end)
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

// step makes a call that only asks, and one that changes something.
func step(c *client, i int) error {
	s := api.StateResponse{}
	if err := c.call("State", &api.StateRequest{ID: "one"}, &s); err != nil || s.ID != "one" || s.Status != api.Running {
		return fmt.Errorf("state %d, %q: %v", i, s.ID, err)
	}
	err := c.call("CloseIO", &api.CloseIORequest{ID: "one", Stdin: i%2 == 0}, &protobuf.Empty{})
	if status, ok := err.(*ttrpc.Status); err != nil && (!ok || status.Code != ttrpc.Unavailable) {
		return fmt.Errorf("closing the input, %d: %v", i, err)
	}
	return nil
}
