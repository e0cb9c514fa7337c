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
)

// An exec whose start was interrupted before there was a process has ended, and
// is not started twice.
func TestInterruptedExec(t *testing.T) {
	p := newPod(t)
	p.run("one", "sleep 1000")
	begun, logger := filepath.Join(p.dir, "begun"), filepath.Join(p.dir, "logger")
	if err := unix.Mkfifo(begun, 0o600); err != nil {
		t.Fatal(err)
	}
	// It never says that it is ready, and ends with the supervisor.
	if err := os.WriteFile(logger, []byte("#!/bin/sh\necho begun >"+begun+"\ncat <&3 >/dev/null\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	p.do("Exec", &api.ExecProcessRequest{ID: "one", ExecID: "e", Stdout: "binary-v2://" + logger, Spec: process("exit 0")}, &protobuf.Empty{})
	c, ended := p.connect(), make(chan error, 1)
	go func() { ended <- c.call("Start", &api.StartRequest{ID: "one", ExecID: "e"}, &api.StartResponse{}) }()
	if _, err := os.ReadFile(begun); err != nil {
		t.Fatal(err)
	}
	p.kill()
	if err := <-ended; err == nil {
		t.Error("the start has succeeded")
	}
	if status := p.wait("one", "e"); status != 255 {
		t.Errorf("status %d", status)
	}
	if err := p.connect().call("Start", &api.StartRequest{ID: "one", ExecID: "e"}, &api.StartResponse{}); err == nil {
		t.Error("it was started twice")
	}
	p.kill()
	if status := p.wait("one", "e"); status != 255 {
		t.Errorf("status %d after another supervisor", status)
	}
	p.do("Delete", &api.DeleteRequest{ID: "one", ExecID: "e"}, &api.DeleteResponse{})
	p.exec("one", "e", "exit 3", 3)
}

// Whenever a supervisor is killed while it starts an exec, the process either is
// known afterwards or is not there.
func TestKillsDuringExec(t *testing.T) {
	p := newPod(t)
	p.run("one", "sleep 1000")
	for i := range *kills {
		exec := fmt.Sprintf("e%d", i)
		p.do("Exec", &api.ExecProcessRequest{ID: "one", ExecID: exec, Spec: process("sleep 1000")}, &protobuf.Empty{})
		c, ended := p.connect(), make(chan error, 1)
		go func() { ended <- c.call("Start", &api.StartRequest{ID: "one", ExecID: exec}, &api.StartResponse{}) }()
		time.Sleep(rand.N(30 * time.Millisecond))
		p.kill()
		<-ended
		s := api.StateResponse{}
		p.do("State", &api.StateRequest{ID: "one", ExecID: exec}, &s)
		switch s.Status {
		case api.Created: // nothing was begun
		case api.Running:
			if s.Pid == 0 { // it is being ended
				p.wait("one", exec)
				break
			}
			p.do("Kill", &api.KillRequest{ID: "one", ExecID: exec, Signal: 9}, &protobuf.Empty{})
			if status := p.wait("one", exec); status != 137 {
				t.Errorf("status %d", status)
			}
		}
		p.do("Delete", &api.DeleteRequest{ID: "one", ExecID: exec}, &api.DeleteResponse{})
		p.alone()
	}
}

// alone awaits that the container has no process but its first.
func (p *pod) alone() {
	p.t.Helper()
	var pids api.PidsResponse
	for end := time.Now().Add(answerTime); time.Now().Before(end); {
		pids = api.PidsResponse{}
		p.do("Pids", &api.PidsRequest{ID: "one"}, &pids)
		if len(pids.Processes) == 1 {
			return
		}
	}
	p.t.Fatalf("the container has %d processes", len(pids.Processes))
}
