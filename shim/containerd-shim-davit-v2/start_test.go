package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/libcontainer/host"
	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/protobuf"
)

// Containers share a supervisor by the annotations of containerd's own shim.
func TestGroupOf(t *testing.T) {
	for annotations, want := range map[string]string{
		`{}`:                                     "id",
		`{"io.kubernetes.cri.sandbox-id":"pod"}`: "pod",
		`{"io.kubernetes.cri.sandbox-id":"pod","io.containerd.runc.v2.group":"together"}`: "together",
	} {
		t.Chdir(t.TempDir())
		if err := os.WriteFile("config.json", []byte(`{"annotations":`+annotations+`}`), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := (&call{id: "id"}).group(); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", annotations, got, err, want)
		}
	}
}

// A socket's name is the one of containerd's own shim, and always fits.
func TestSocketPath(t *testing.T) {
	want := fmt.Sprintf("%s/%x", defaultSocketDir, sha256.Sum256([]byte("/a/n/g")))
	if got, err := socketPath(defaultSocketDir, "/a", "n", "g"); err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	long := "/" + strings.Repeat("d", 80)
	if got, err := socketPath(long, "/a", "n", "g"); err != nil || len(got+debugSuffix) != maxSocketPath {
		t.Errorf("in a directory of a long name: %q, %v", got, err)
	}
	if got, err := socketPath(long+long, "/a", "n", "g"); err == nil {
		t.Errorf("in a directory of too long a name: %q", got)
	}
}

// procNumber is the number in a file of a process's.
func procNumber(t *testing.T, pid int, name string) (n int) {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(data), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A supervisor and its keeper are nobody's job, and a little more likely to be killed
// for want of memory than who started them.
func TestApart(t *testing.T) {
	p := newPod(t)
	p.run("one", "sleep 1000")
	supervisor := p.supervisor()
	keeper := parentOf(supervisor)
	own, err := unix.Getsid(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{supervisor, keeper} {
		if sid, err := unix.Getsid(pid); sid != keeper || sid == own || err != nil {
			t.Errorf("%d is in session %d, %v, want %d", pid, sid, err, keeper)
		}
		if got, want := procNumber(t, pid, "oom_score_adj"), min(1000, procNumber(t, os.Getpid(), "oom_score_adj")+1); got != want {
			t.Errorf("%d has an oom_score_adj of %d, want %d", pid, got, want)
		}
	}
	if data, err := os.ReadFile(p.file("init.pid")); err != nil || string(data) != fmt.Sprint(p.state("one").Pid) {
		t.Errorf("init.pid has %q, %v, want %d", data, err, p.state("one").Pid)
	}
}

// state is what is known of a container.
func (p *pod) state(id string) (s api.StateResponse) {
	p.t.Helper()
	p.do("State", &api.StateRequest{ID: id}, &s)
	return s
}

// What the options say of the supervisor's cgroup, and of the streams, is so.
func TestOptions(t *testing.T) {
	needs.Root(t, "containers and cgroups are made")
	cgroup := "/" + testCgroup("shim")
	made := makeCgroups(t, cgroup) // and removed after the supervisor's end
	p := newPod(t)
	p.shim = &api.Options{ShimCgroup: cgroup}
	dir := p.bundle("one", "stat -L -c %u:%g /proc/self/fd/1")
	out := filepath.Join(p.dir, "out")
	options := protobuf.Pack(api.OptionsName, &api.Options{Root: filepath.Join(p.dir, "root"), IOUID: 1234, IOGID: 2345})
	p.start("one")
	p.do("Create", &api.CreateTaskRequest{ID: "one", Bundle: dir, Stdout: "file://" + out, Options: options}, &api.CreateTaskResponse{})
	p.do("Start", &api.StartRequest{ID: "one"}, &api.StartResponse{})
	p.wait("one", "")
	p.delete("one")
	// Compat(runc): the runtime gives streams to the process's user, and leaves the group.
	if data, err := os.ReadFile(out); string(data) != "0:2345\n" || err != nil {
		t.Errorf("the streams are of %q, %v", data, err)
	}
	supervisor := p.supervisor()
	for _, dir := range made {
		procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil || !strings.Contains("\n"+string(procs), fmt.Sprintf("\n%d\n", supervisor)) {
			t.Errorf("%s has %q, %v, and not %d", dir, procs, err, supervisor)
		}
	}
}

// makeCgroups makes a cgroup, on several hierarchies where there are some, until the
// test's end.
func makeCgroups(t *testing.T, name string) (made []string) {
	t.Helper()
	roots := []string{"/sys/fs/cgroup"}
	if host.Cgroups() != host.CgroupV2 {
		roots = []string{"/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"}
	}
	for _, root := range roots {
		dir := root + name
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		})
		made = append(made, dir)
	}
	return made
}
