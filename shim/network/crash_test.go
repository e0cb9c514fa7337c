package network

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"
)

// attachForEver attaches and detaches until it is killed.
func attachForEver() int {
	s, err := Open(os.Getenv("ROOT"), Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	r := Request{Container: "c", Namespace: os.Getenv("NS"), Names: []string{"c"}, Networks: []Join{{Network: DefaultName}, {Network: "second"}},
		Ports: []Port{{Host: 8080, Container: 80, Protocol: "tcp"}}, Files: &Files{Dir: os.Getenv("FILES"), Hostname: "c"}}
	for {
		if _, err := s.Attach(context.Background(), r); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if err := s.Detach(context.Background(), "c"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
}

// However a process is killed, nothing of its container is left after Detach,
// and its neighbour is untouched.
func TestKilled(t *testing.T) {
	machine(t)
	s := newStore(t)
	if _, err := s.Create(CreateOptions{Name: "second"}); err != nil {
		t.Fatal(err)
	}
	c, neighbour := newContainer(t, "c"), newContainer(t, "neighbour")
	a := attach(t, s, neighbour.request(DefaultName))
	for range 8 {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), "DAVIT_TEST_NETWORK_HELPER=attach", "ROOT="+s.root, "NS="+c.ns, "FILES="+c.files.Dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(rand.IntN(1000))*time.Millisecond, func() { cmd.Process.Kill() })
		if cmd.Wait(); cmd.ProcessState.Exited() {
			t.Fatal("it ended by itself")
		}
		timer.Stop()
		attach(t, s, c.request(DefaultName, "second"))
		detach(t, s, "c")
		if got, want := neighbour.hosts(t), a.addr(0)+"\tneighbour\n"; got != want {
			t.Fatalf("the neighbour's hosts: %q, want %q", got, want)
		}
	}
	detach(t, s, "neighbour")
	nothingLeft(t, s)
}
