package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/protobuf"
)

var (
	outputs = flag.Int("outputs", 20, "containers whose output is compared, byte by byte")
	churn   = flag.Int("churn", 50, "short containers of one supervisor")
	kills   = flag.Int("kills", 10, "times that the supervisor is killed")
)

// Output of any size that is written just before the end arrives whole.
func TestOutput(t *testing.T) {
	p := newPod(t)
	sizes := []int{1, 4095, 65536, 65537, 1 << 20, 5<<20 + 1}
	if *outputs > 100 {
		sizes = append(sizes, 132<<20)
	}
	for i := range *outputs {
		id, size := fmt.Sprintf("o%d", i), sizes[i%len(sizes)]
		fifo := filepath.Join(p.dir, id+".fifo")
		if err := unix.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
		dir := p.bundle(id, fmt.Sprintf("head -c %d </tmp/data; exit 3", size))
		want := p.data(id, size)
		got := make(chan [32]byte, 1)
		reader, err := os.OpenFile(fifo, os.O_RDONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		p.start(id)
		p.do("Create", &api.CreateTaskRequest{ID: id, Bundle: dir, Stdout: fifo, Options: p.options()}, &api.CreateTaskResponse{})
		go func() {
			h := sha256.New()
			io.Copy(h, reader)
			reader.Close()
			got <- [32]byte(h.Sum(nil))
		}()
		p.do("Start", &api.StartRequest{ID: id}, &api.StartResponse{})
		if status := p.wait(id, ""); status != 3 {
			t.Errorf("status %d", status)
		}
		p.delete(id)
		if <-got != want {
			t.Errorf("of %d bytes, others arrived than were written", size)
		}
		os.RemoveAll(dir)
	}
}

// data puts random bytes into a container.
func (p *pod) data(id string, size int) [32]byte {
	p.t.Helper()
	data := make([]byte, size)
	chacha := rand.NewChaCha8([32]byte{byte(size)})
	chacha.Read(data)
	if err := os.WriteFile(filepath.Join(p.dir, "bundles", id, "rootfs/tmp/data"), data, 0o644); err != nil {
		p.t.Fatal(err)
	}
	return sha256.Sum256(data)
}

// descriptors counts a process's.
func descriptors(t *testing.T, pid int) int {
	t.Helper()
	list, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// Of short containers, every exit is told, and nothing is left.
func TestChurn(t *testing.T) {
	p := newPod(t)
	p.run("first", "sleep 1000")
	p.kill() // the next one comes when the keeper has heard all that this one said
	supervisor := p.supervisor()
	keeper := parentOf(supervisor)
	kept := descriptors(t, keeper)
	dir := p.bundle("short", "exit 3")
	short := func() {
		p.do("Create", &api.CreateTaskRequest{ID: "short", Bundle: dir, Options: p.options()}, &api.CreateTaskResponse{})
		p.do("Start", &api.StartRequest{ID: "short"}, &api.StartResponse{})
		p.exec("first", "e", "exit 4", 4)
		if status := p.wait("short", ""); status != 3 {
			t.Errorf("status %d", status)
		}
		p.delete("short")
	}
	short() // opens what stays open
	before := descriptors(t, supervisor)
	for range *churn {
		short()
	}
	if after := descriptors(t, supervisor); after > before {
		t.Errorf("the supervisor has %d descriptors, and had %d", after, before)
	}
	p.kill()
	if after := descriptors(t, keeper); after > kept {
		t.Errorf("the keeper has %d descriptors, and had %d", after, kept)
	}
}

// A supervisor that is killed at any moment loses no container and no exit.
func TestKills(t *testing.T) {
	p := newPod(t)
	out := p.run("long", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); echo $i; done; sleep 1000")
	for i := range *kills {
		id := fmt.Sprintf("k%d", i)
		dir := p.bundle(id, "exit 3")
		p.start(id)
		p.connect()
		p.client.call("Create", &api.CreateTaskRequest{ID: id, Bundle: dir, Options: p.options()}, &api.CreateTaskResponse{})
		started := make(chan error, 1)
		c := p.client
		go func() { started <- c.call("Start", &api.StartRequest{ID: id}, &api.StartResponse{}) }()
		time.Sleep(rand.N(8 * time.Millisecond))
		p.kill()
		<-started
		s := api.StateResponse{}
		p.do("State", &api.StateRequest{ID: id}, &s)
		// The start that was under way may be finished by the next supervisor, or
		// never have been heard of.
		if s.Status == api.Created {
			p.client.call("Start", &api.StartRequest{ID: id}, &api.StartResponse{})
		}
		if status := p.wait(id, ""); status != 3 {
			t.Errorf("status %d", status)
		}
		p.delete(id)
		os.RemoveAll(dir)
	}
	s := api.StateResponse{}
	p.do("State", &api.StateRequest{ID: "long"}, &s)
	if s.Status != api.Running {
		t.Errorf("the long one has status %d", s.Status)
	}
	p.do("Kill", &api.KillRequest{ID: "long", Signal: 9}, &protobuf.Empty{})
	p.wait("long", "")
	p.delete("long")
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		if n++; line != strconv.Itoa(n)+"\n" {
			t.Fatalf("line %d of the long one's output is %q", n, line)
		}
	}
}
