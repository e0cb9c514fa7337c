package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/libcontainer/criu"
)

// Each way out of the confinement is noticed, and nothing else.
func TestConfinement(t *testing.T) {
	c := &confinement{
		outside: map[string][]string{"pid": {"pid:[1]"}, "net": {"net:[1]", "net:[3]"}},
		cgroups: map[string]string{"": "/box", "cpu": "/"}, caps: 0b11, noNewPrivs: true, seccomp: true, apparmor: "profile",
	}
	fine := func() *observation {
		return &observation{
			namespaces: map[string]string{"pid": "pid:[2]", "net": "net:[2]", "uts": "uts:[1]", "user": "user:[1]"},
			cgroups:    map[string]string{"": "/box", "cpu": "/any"}, caps: 0b10, noNewPrivs: true, seccomp: true, apparmor: "profile",
		}
	}
	for _, test := range []struct {
		name   string
		change func(o *observation)
		want   string
	}{
		{"fine", func(*observation) {}, ""},
		{"a cgroup below", func(o *observation) { o.cgroups[""] = "/box/below" }, ""},
		{"a user namespace of its own", func(o *observation) { o.namespaces["user"], o.caps = "user:[9]", 0b111 }, ""},
		{"the host's namespace", func(o *observation) { o.namespaces["net"] = "net:[1]" }, "the host's net namespace"},
		{"criu's namespace", func(o *observation) { o.namespaces["net"] = "net:[3]" }, "or in criu's"},
		{"a zombie", func(o *observation) { *o = observation{dead: true} }, ""},
		{"privileges to gain", func(o *observation) { o.noNewPrivs = false }, "it may gain privileges"},
		{"a cgroup elsewhere", func(o *observation) { o.cgroups[""] = "/boxer" }, "the cgroup /boxer, outside of"},
		{"no such hierarchy", func(o *observation) { delete(o.cgroups, "cpu") }, "outside of"},
		{"a capability more", func(o *observation) { o.caps = 0b110 }, "CAP_DAC_READ_SEARCH"},
		{"no filter", func(o *observation) { o.seccomp = false }, "no seccomp filter"},
		{"another profile", func(o *observation) { o.apparmor = "unconfined" }, `profile "unconfined"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := fine()
			test.change(o)
			err := c.check(o, "user:[1]")
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// criu's namespaces are none of the container's, but for that of the cgroups
// where criu leaves these alone: it was made for the container.
func TestConfine(t *testing.T) {
	for _, test := range []struct {
		mode criu.CgroupMode
		want bool // criu's cgroup namespace is the container's
	}{{criu.CgroupSoft, false}, {criu.CgroupIgnore, true}} {
		r := &restoration{criuNamespaces: map[string]string{"cgroup": "cgroup:[9]", "net": "net:[9]"}}
		r.bundle = &Bundle{Spec: &specs.Spec{Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.CgroupNamespace}, {Type: specs.NetworkNamespace}}}}}
		r.options.Cgroups = test.mode
		c, err := r.confine(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := !slices.Contains(c.outside["cgroup"], "cgroup:[9]"); got != test.want {
			t.Errorf("mode %v: criu's cgroup namespace is the container's: %v", test.mode, got)
		}
		if !slices.Contains(c.outside["net"], "net:[9]") || len(c.outside["cgroup"]) == 0 {
			t.Errorf("mode %v: got %v", test.mode, c.outside)
		}
	}
}

// What is observed of a process is what the kernel says of it.
func TestObserve(t *testing.T) {
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	pids, err := descendants(os.Getpid())
	if err != nil || !slices.Contains(pids, child.Process.Pid) || pids[0] != os.Getpid() {
		t.Errorf("descendants: %v, %v", pids, err)
	}
	o, err := observe(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := observe(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if o.namespaces["mnt"] == "" || o.namespaces["mnt"] != ours.namespaces["mnt"] || len(o.cgroups) == 0 || o.caps != ours.caps || o.seccomp != ours.seccomp {
		t.Errorf("got %+v, want %+v", o, ours)
	}
	if os.Geteuid() == 0 && o.caps == 0 {
		t.Error("root has no capabilities")
	}
}

// Each thread is observed by itself, and any may be the one that is outside.
func TestThreads(t *testing.T) {
	needs.Root(t, "it changes a thread's capabilities")
	other := make(chan int)
	done := make(chan bool)
	defer close(done)
	var differ func()
	differ = func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() { // left as it is: another one, while this is held
			go differ()
			<-done
			runtime.UnlockOSThread()
			return
		}
		err := errors.Join(unix.Unshare(unix.CLONE_NEWUTS), unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		if err != nil {
			t.Error(err)
		}
		other <- unix.Gettid()
		<-done // the thread ends with the goroutine
	}
	go differ()
	tid := <-other
	leader, err1 := observe(os.Getpid())
	o, err2 := observe(tid)
	if err1 != nil || err2 != nil || leader.noNewPrivs || !o.noNewPrivs || leader.namespaces["uts"] == o.namespaces["uts"] {
		t.Fatalf("got %+v, %v and %+v, %v", leader, err1, o, err2)
	}
	c := &confinement{outside: map[string][]string{"uts": {o.namespaces["uts"]}}, caps: ^uint64(0)}
	err := c.checkAll(os.Getpid(), "")
	if want := fmt.Sprintf("checking thread %d of the restored process %d: it is in", tid, os.Getpid()); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	c.outside = map[string][]string{"uts": {"uts:[1]"}}
	if err := c.checkAll(os.Getpid(), ""); err != nil {
		t.Errorf("none is outside: %v", err)
	}
}

// A zombie is seen as one, whatever the kernel says of its namespaces and cgroups.
func TestObserveZombie(t *testing.T) {
	child := exec.Command("true")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	if err := unix.Waitid(unix.P_PID, child.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if o, err := observe(child.Process.Pid); err != nil || !o.dead {
		t.Errorf("got %+v, %v", o, err)
	}
}

// A process in a mount namespace that is not davit's may still see the host:
// criu's does, and one that was copied from it.
func TestCriusMountNamespace(t *testing.T) {
	needs.Root(t, "it makes a mount namespace")
	child := exec.Command("sleep", "1000")
	child.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	r := &restoration{pid: child.Process.Pid}
	r.bundle = &Bundle{Spec: &specs.Spec{Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.MountNamespace}}}}}
	expect := func(name, want string) {
		t.Helper()
		err := r.checkProcesses()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	var err error
	if r.root, err = rootOf(os.Getpid(), "/"); err != nil {
		t.Fatal(err)
	}
	expect("its own", "")
	if r.criuNamespaces, err = namespacesOf(strconv.Itoa(r.pid)); err != nil {
		t.Fatal(err)
	}
	expect("criu's", "mnt namespace, or in criu's")
	r.criuNamespaces = nil
	if r.root, err = rootOf(os.Getpid(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	expect("with the host's root", "another root file system")
}
