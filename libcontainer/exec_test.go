package libcontainer

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/libcontainer/plan"
)

// running starts a container that sleeps, to the test's end.
func (b *box) running() *Container {
	b.t.Helper()
	b.config.Process.Args = []string{"sleep", "1000"}
	bundle, err := b.load()
	b.must(err)
	c, err := b.runtime.Create("box", bundle, CreateOptions{})
	b.must(err)
	b.t.Cleanup(func() {
		b.must(c.Destroy())
		if left := b.remains(); left != "" {
			b.t.Errorf("left behind:\n%s", left)
		}
	})
	b.must(c.Start())
	return c
}

// process is the container's own with other arguments.
func (b *box) process(c *Container, args ...string) *specs.Process {
	b.t.Helper()
	p, err := c.Process()
	b.must(err)
	p.Args = args
	return p
}

// exec executes a process to its end and gives what it printed.
func (b *box) exec(c *Container, o ExecOptions) (string, ExitStatus, error) {
	b.t.Helper()
	r, w, err := os.Pipe()
	b.must(err)
	defer r.Close()
	o.Stdio = [3]*os.File{nil, w, w}
	p, err := c.Exec(o)
	w.Close()
	if err != nil {
		return "", ExitStatus{}, err
	}
	defer p.Close()
	output, err := io.ReadAll(r)
	b.must(err)
	exit, err := p.Wait()
	return strings.TrimSuffix(string(output), "\n"), exit, err
}

// execs executes a process that succeeds.
func (b *box) execs(c *Container, args ...string) string {
	b.t.Helper()
	output, exit, err := b.exec(c, ExecOptions{Process: b.process(c, args...)})
	if err != nil || exit.Code() != 0 {
		b.t.Fatalf("executing %q: status %d, %v: %s", args, exit.Code(), err, output)
	}
	return output
}

// forEachUserNS runs a test with and without a user namespace.
func forEachUserNS(t *testing.T, test func(b *box)) {
	for _, userns := range []bool{false, true} {
		t.Run(fmt.Sprintf("userns=%v", userns), func(t *testing.T) {
			b := newBox(t)
			if userns {
				b.userNamespace()
			}
			b.t = t
			test(b)
		})
	}
}

// A process that is executed is where the container's first one is.
func TestExecJoins(t *testing.T) {
	forEachUserNS(t, func(b *box) {
		c := b.running()
		for _, ns := range []string{"mnt", "pid", "net", "ipc", "uts", "user", "cgroup"} {
			want, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", c.Pid(), ns))
			b.must(err)
			if got := b.execs(c, "readlink", "/proc/self/ns/"+ns); got != want {
				b.t.Errorf("%s namespace: got %s, want %s", ns, got, want)
			}
		}
		want, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", c.Pid()))
		b.must(err)
		if got := b.execs(c, "cat", "/proc/self/cgroup"); b.config.Linux.CgroupsPath != "" && strings.Contains(got, "davit-test") != strings.Contains(string(want), "davit-test") {
			b.t.Errorf("cgroup: got\n%s\nwant\n%s", got, want)
		}
		if got := b.execs(c, "ls", "/"); got != b.execs(c, "ls", "/proc/1/root/") {
			b.t.Errorf("its root has %q", got)
		}
	})
}

func TestExecStatus(t *testing.T) {
	forEachUserNS(t, func(b *box) {
		c := b.running()
		if _, exit, err := b.exec(c, ExecOptions{Process: b.process(c, "sh", "-c", "exit 42")}); err != nil || exit.Code() != 42 {
			b.t.Errorf("got %d, %v", exit.Code(), err)
		}
		if _, exit, err := b.exec(c, ExecOptions{Process: b.process(c, "sh", "-c", "kill -9 $$")}); err != nil || exit.Code() != 128+9 {
			b.t.Errorf("killed: got %d, %v", exit.Code(), err)
		}
		_, _, err := b.exec(c, ExecOptions{Process: b.process(c, "nowhere")})
		if want := `exec: "nowhere": executable file not found in $PATH`; err == nil || err.Error() != want {
			b.t.Errorf("got  %v\nwant %s", err, want)
		}
		b.expect(Running)
	})
}

// CVE-2024-21626: a descriptor of the host as the working directory.
func TestExecWorkingDirectory(t *testing.T) {
	forEachUserNS(t, func(b *box) {
		c := b.running()
		for fd := 3; fd <= 32; fd++ {
			p := b.process(c, "pwd")
			p.Cwd = fmt.Sprintf("/proc/self/fd/%d", fd)
			if output, _, err := b.exec(c, ExecOptions{Process: p}); err == nil {
				b.t.Errorf("%s was entered: %s", p.Cwd, output)
			}
		}
		got := b.execs(c, "sh", "-c", "for f in /proc/self/fd/*; do readlink -f $f >/dev/null && echo ${f##*/}; done")
		for _, fd := range strings.Fields(got) {
			if fd > "3" || len(fd) > 1 { // 3 is the shell's own, of the directory
				b.t.Errorf("descriptor %s is open", fd)
			}
		}
	})
}

// CVE-2022-29162: inheritable capabilities that nobody asked for.
func TestExecInheritsNoCapabilities(t *testing.T) {
	forEachUserNS(t, func(b *box) {
		c := b.running()
		if got := b.execs(c, "grep", "CapInh", "/proc/self/status"); got != "CapInh:\t0000000000000000" {
			b.t.Errorf("got %q", got)
		}
	})
}

func TestExecIdentity(t *testing.T) {
	forEachUserNS(t, func(b *box) {
		b.file("etc/passwd", "user:x:1000:1000::/home/user:/bin/sh\n", 0o644)
		umask := uint32(0o077)
		b.config.Process.User.Umask = &umask
		c := b.running()
		p := b.process(c, "sh", "-c", "id -u; id -g; id -G; umask; pwd; echo $HOME")
		p.User.UID, p.User.GID, p.User.AdditionalGids = 1000, 1001, []uint32{5}
		p.Cwd = "/bin"
		got, _, err := b.exec(c, ExecOptions{Process: p})
		if want := "1000\n1001\n1001 5\n0077\n/bin\n/home/user"; err != nil || got != want {
			b.t.Errorf("got\n%s, %v\nwant\n%s", got, err, want)
		}
	})
}

func TestExecInCreatedAndStopped(t *testing.T) {
	b := newBox(t)
	b.config.Process.Args = []string{"true"}
	bundle, err := b.load()
	b.must(err)
	c, err := b.runtime.Create("box", bundle, CreateOptions{StartLater: true})
	b.must(err)
	defer c.Destroy()
	if got := b.execs(c, "echo", "early"); got != "early" {
		t.Errorf("in a created container: got %q", got)
	}
	b.must(c.Signal(unix.SIGKILL))
	_, err = c.Wait()
	b.must(err)
	_, _, err = b.exec(c, ExecOptions{Process: b.process(c, "true")})
	if !errors.Is(err, ErrNotRunning) || err.Error() != "cannot exec in a stopped container" {
		t.Errorf("in a stopped container: %v", err)
	}
}

// A paused container is refused at once; who insists waits until it runs.
func TestExecInPaused(t *testing.T) {
	b := newBox(t)
	c := b.running()
	m, err := c.manager()
	b.must(err)
	needs.Kernel(t, needs.Freezer, m.Freeze())
	defer m.Thaw()
	_, _, err = b.exec(c, ExecOptions{Process: b.process(c, "true")})
	if !errors.Is(err, ErrPaused) || err.Error() != "cannot exec in a paused container (use --ignore-paused to override)" {
		t.Errorf("got %v", err)
	}
	done := make(chan string, 1)
	go func() {
		output, _, err := b.exec(c, ExecOptions{Process: b.process(c, "echo", "resumed"), IgnorePaused: true})
		done <- fmt.Sprint(output, err)
	}()
	select {
	case got := <-done:
		t.Errorf("it ran while the container was paused: %s", got)
	case <-time.After(100 * time.Millisecond):
	}
	b.must(m.Thaw())
	if got := <-done; got != "resumed<nil>" {
		t.Errorf("after it was resumed: %s", got)
	}
}

func TestExecSubCgroups(t *testing.T) {
	b := newBox(t)
	c := b.running()
	for sub, want := range map[string]string{
		"..": "bad sub cgroup path: ..", "../x": "bad sub cgroup path", "a/../../x": "bad sub cgroup path",
		"nonexistent": "no such file or directory",
	} {
		_, _, err := b.exec(c, ExecOptions{Process: b.process(c, "true"), Cgroups: map[string]string{"": sub}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", sub, err, want)
		}
	}
	_, _, err := b.exec(c, ExecOptions{Process: b.process(c, "true"), Cgroups: map[string]string{"whaaat": "/"}})
	if err == nil || !strings.Contains(err.Error(), "unknown controller whaaat") {
		t.Errorf("unknown controller: %v", err)
	}
	if _, exit, err := b.exec(c, ExecOptions{Process: b.process(c, "true"), Cgroups: map[string]string{"": "/"}}); err != nil || exit.Code() != 0 {
		t.Errorf("/: %v", err)
	}
}

// The pid file is there when the program runs, and an execution that fails
// leaves no process.
func TestExecPidFile(t *testing.T) {
	b := newBox(t)
	c := b.running()
	file := filepath.Join(b.dir, "pid")
	p, err := c.Exec(ExecOptions{Process: b.process(c, "sleep", "1000"), PidFile: file})
	b.must(err)
	defer p.Close()
	if got, err := os.ReadFile(file); err != nil || string(got) != fmt.Sprint(p.Pid()) {
		t.Errorf("pid file: %q, %v, want %d", got, err, p.Pid())
	}
	b.must(p.Signal(unix.SIGKILL))
	exit, err := p.Wait()
	if err != nil || exit.Code() != 128+9 {
		t.Errorf("wait: %d, %v", exit.Code(), err)
	}
	if _, err := c.Exec(ExecOptions{Process: b.process(c, "sleep", "1000"), PidFile: "/nonexistent/pid"}); err == nil {
		t.Error("a pid file in no directory was written")
	}
	m, err := c.manager()
	b.must(err)
	if pids, err := m.Pids(); err != nil || len(pids) != 1 {
		t.Errorf("processes %v, %v, want the container's alone", pids, err)
	}
}

// Without a mount namespace of its own, the container's root is a directory.
func TestExecWithoutMountNamespace(t *testing.T) {
	b := newBox(t)
	b.config.Mounts, b.config.Linux.MaskedPaths, b.config.Linux.ReadonlyPaths = nil, nil, nil
	b.config.Root.Readonly = false
	b.config.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.UTSNamespace}}
	c := b.running()
	if got := b.execs(c, "ls", "/"); !strings.HasPrefix(got, "bin\ndev\netc") || strings.Contains(got, "home") {
		t.Errorf("its root has %q", got)
	}
}

// A container that ends while it is joined has stopped, in the words for one that had
// before.
func TestExecInWhatEnds(t *testing.T) {
	joining := &StepError{Op: plan.OpSetns.String(), Errno: unix.ESRCH}
	if err := orStopped(joining); !errors.Is(err, ErrNotRunning) {
		t.Errorf("got %v", err)
	}
	for _, other := range []error{
		&StepError{Op: plan.OpSetns.String(), Errno: unix.EPERM},
		&StepError{Op: plan.OpExec.String(), Errno: unix.ESRCH},
		unix.ESRCH,
	} {
		if err := orStopped(other); err != other {
			t.Errorf("%v became %v", other, err)
		}
	}
}
