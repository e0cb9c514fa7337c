package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
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
	p.debug = true
	p.run("first", "sleep 1000")
	p.kill() // the next one comes when the keeper has heard all that this one said
	keeper := parentOf(p.supervisor())
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
	before := p.traces()
	for range *churn {
		short()
	}
	for name, n := range p.traces() {
		if n > before[name] {
			t.Errorf("%s: there are %d, and were %d", name, n, before[name])
		}
	}
	p.kill()
	if after := descriptors(t, keeper); after > kept {
		t.Errorf("the keeper has %d descriptors, and had %d", after, kept)
	}
}

// traces count what containers could leave behind, by what it is.
func (p *pod) traces() map[string]int {
	p.t.Helper()
	supervisor := p.supervisor()
	cgroups, err := filepath.Glob("/sys/fs/cgroup/*/" + testCgroup("short") + "*")
	if err != nil {
		p.t.Fatal(err)
	}
	below, err := filepath.Glob("/sys/fs/cgroup/" + testCgroup("short") + "*")
	if err != nil {
		p.t.Fatal(err)
	}
	return map[string]int{
		"descriptors":             descriptors(p.t, supervisor),
		"goroutines":              p.goroutines(),
		"cgroups":                 len(cgroups) + len(below),
		"mounts":                  p.lines("/proc/self/mountinfo"),
		"the supervisor's mounts": p.lines(fmt.Sprintf("/proc/%d/mountinfo", supervisor)),
		"sockets":                 p.lines("/proc/net/unix"),
		"states":                  len(p.entries("root/test")),
	}
}

// lines are how many of a file's name the test's directory.
func (p *pod) lines(path string) (n int) {
	p.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, p.dir) {
			n++
		}
	}
	return n
}

func (p *pod) entries(name string) []os.DirEntry {
	p.t.Helper()
	list, err := os.ReadDir(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return list
}

// goroutines are how many the supervisor has that stay: one that is about to end, or of
// Go's own for a file that was not closed, is not seen each time.
func (p *pod) goroutines() int {
	p.t.Helper()
	least := p.goroutinesNow()
	for range 20 {
		least = min(least, p.goroutinesNow())
	}
	return least
}

// goroutinesNow are how many the supervisor says that it has.
func (p *pod) goroutinesNow() (n int) {
	p.t.Helper()
	conn, err := net.Dial("unix", strings.TrimPrefix(p.address, "unix://")+debugSuffix)
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("tasks\n")); err != nil {
		p.t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		p.t.Fatal(err)
	}
	tasks := 0
	if _, err := fmt.Sscanf(string(answer), "tasks %d\ngoroutines %d\n", &tasks, &n); err != nil {
		p.t.Fatalf("the debug socket says %q: %v", answer, err)
	}
	return n
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
