package main

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/protobuf"
)

// What is known of processes that are no more takes no room, however many there
// were, and nothing else is lost with it.
func TestJournalStaysShort(t *testing.T) {
	p := newPod(t)
	p.run("one", "sleep 1000")
	start := func(exec, script string) {
		p.do("Exec", &api.ExecProcessRequest{ID: "one", ExecID: exec, Spec: process(script)}, &protobuf.Empty{})
		p.do("Start", &api.StartRequest{ID: "one", ExecID: exec}, &api.StartResponse{})
	}
	start("ended", "exit 9")
	p.wait("one", "ended")
	start("lives", "sleep 1000")
	padding := strings.Repeat(":;", 2000)
	for range 40 {
		p.exec("one", "probe", padding+" exit 6", 6)
	}
	const most = 100 << 10 // of several times that
	if info, err := os.Stat(p.file("davit.journal")); err != nil || info.Size() > most {
		t.Errorf("the journal is %v, %v", info, err)
	}
	p.kill()
	if status := p.wait("one", "ended"); status != 9 {
		t.Errorf("the one that had ended has status %d", status)
	}
	p.exec("one", "probe", "exit 6", 6)
	for _, exec := range []string{"lives", ""} {
		p.do("Kill", &api.KillRequest{ID: "one", ExecID: exec, Signal: uint32(unix.SIGKILL)}, &protobuf.Empty{})
		if status := p.wait("one", exec); status != 137 {
			t.Errorf("%q has status %d", exec, status)
		}
	}
}
