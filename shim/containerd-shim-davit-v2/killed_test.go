package main

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/api"
)

func TestRun(t *testing.T) {
	p := newPod(t)
	out := p.run("one", "echo hello; echo error >&2; exit 7")
	if status := p.wait("one", ""); status != 7 {
		t.Errorf("status %d", status)
	}
	if d := p.delete("one"); d.ExitStatus != 7 {
		t.Errorf("deleted with status %d", d.ExitStatus)
	}
	if data, err := os.ReadFile(out); string(data) != "hello\nerror\n" || err != nil {
		t.Errorf("output %q, %v", data, err)
	}
}

// A supervisor that is killed is followed by one that knows the containers,
// moves their output and hears how they end.
func TestKilledSupervisor(t *testing.T) {
	p := newPod(t)
	gate := filepath.Join(p.dir, "bundles/one/rootfs/tmp/gate")
	p.bundle("one", "echo before; read x </tmp/gate; echo after; exit 3")
	if err := unix.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	out := p.launch("one")
	p.run("two", "exit 4")
	p.wait("two", "")
	p.kill()
	s := api.StateResponse{}
	p.do("State", &api.StateRequest{ID: "one"}, &s)
	if s.Status != api.Running || s.Pid == 0 {
		t.Errorf("one is %d, pid %d", s.Status, s.Pid)
	}
	if status := p.wait("two", ""); status != 4 {
		t.Errorf("two has status %d", status)
	}
	p.kill()
	if err := os.WriteFile(gate, []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	if status := p.wait("one", ""); status != 3 {
		t.Errorf("one has status %d", status)
	}
	p.delete("one")
	p.delete("two")
	if data, err := os.ReadFile(out); string(data) != "before\nafter\n" || err != nil {
		t.Errorf("output %q, %v", data, err)
	}
}

// A process that ends while there is no supervisor has ended as it did.
func TestEndWithoutSupervisor(t *testing.T) {
	p := newPod(t)
	p.run("one", "trap 'exit 9' TERM; while :; do sleep 1000 & wait $!; done")
	s := api.StateResponse{}
	p.do("State", &api.StateRequest{ID: "one"}, &s)
	pid := p.supervisor()
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(int(s.Pid), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	unix.Kill(pid, unix.SIGKILL)
	p.client.close()
	p.client = nil
	if status := p.wait("one", ""); status != 137 {
		t.Errorf("status %d", status)
	}
}

// Containers of one group have one supervisor, and nothing else in common.
func TestGroup(t *testing.T) {
	p := newPod(t)
	one := p.run("one", "echo $ID")
	first := p.supervisor()
	two := p.run("two", "echo $ID")
	if second := p.supervisor(); first != second {
		t.Errorf("the supervisors are %d and %d", first, second)
	}
	for id, out := range map[string]string{"one": one, "two": two} {
		p.wait(id, "")
		p.delete(id)
		if data, err := os.ReadFile(out); string(data) != id+"\n" || err != nil {
			t.Errorf("%s: %q, %v", id, data, err)
		}
	}
	if err := p.connect().call("State", &api.StateRequest{ID: "one"}, &api.StateResponse{}); err == nil {
		t.Error("a deleted container has a state")
	}
}
