package libcontainer

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/libcontainer/criu"
)

// streams are pipes to a container and back.
type streams struct {
	in, out   *os.File // this process's ends
	container [3]*os.File
}

func (b *box) streams() *streams {
	b.t.Helper()
	inR, inW, err := os.Pipe()
	b.must(err)
	outR, outW, err := os.Pipe()
	b.must(err)
	s := &streams{inW, outR, [3]*os.File{inR, outW, outW}}
	b.t.Cleanup(func() {
		for _, f := range []*os.File{inR, inW, outR, outW} {
			f.Close()
		}
	})
	return s
}

// answer sends a line and wants another back.
func (b *box) answer(s *streams, line, want string) {
	b.t.Helper()
	_, err := fmt.Fprintln(s.in, line)
	b.must(err)
	b.must(s.out.SetReadDeadline(time.Now().Add(time.Minute)))
	got, err := bufio.NewReader(s.out).ReadString('\n')
	if err != nil || got != want+"\n" {
		b.t.Fatalf("sent %q, got %q, %v, want %q", line, got, err, want)
	}
}

// witness counts the lines that it reads: they go through a pipe, over a TCP
// connection to a server and back, and through another pipe to a process that
// has a number in its memory and a file open.
const witness = `exec 5>>/tmp/log
nc -ll -p 7777 -e cat &
while read line; do echo $line; done |
{ until nc 127.0.0.1 7777 2>/dev/null; do :; done; } |
while read line; do n=$((n + 1)); echo $n $line >&5; echo $n $line; done`

func TestCheckpointRestore(t *testing.T) {
	needs.CRIU(t)
	b := newBox(t)
	b.config.Process.Args = []string{"sh", "-c", witness}
	b.config.Root.Readonly = false
	t.Cleanup(func() { b.runtime.ForceRemove("box") })
	bundle, err := b.load()
	b.must(err)
	s := b.streams()
	c, err := b.runtime.Create("box", bundle, CreateOptions{Stdio: s.container})
	b.must(err)
	b.must(c.Start())
	b.answer(s, "one", "1 one")
	image := ImageOptions{Images: filepath.Join(b.dir, "image"), TCPEstablished: true}
	for n, word := range []string{"two", "three"} {
		b.must(c.Checkpoint(CheckpointOptions{ImageOptions: image}))
		b.expect(Stopped)
		b.must(c.Destroy())
		if left := b.remains(); left != "" {
			t.Errorf("left behind:\n%s", left)
		}
		s = b.streams()
		c, err = b.runtime.Restore("box", bundle, RestoreOptions{ImageOptions: image, Stdio: s.container})
		b.must(err)
		b.expect(Running)
		b.answer(s, word, fmt.Sprint(n+2, " ", word))
	}
	log, err := os.ReadFile(b.rootfs("tmp/log"))
	if err != nil || string(log) != "1 one\n2 two\n3 three\n" {
		t.Errorf("the file has %q, %v", log, err)
	}
	if got := b.execs(c, "cat", "/proc/1/comm"); got != "sh" {
		t.Errorf("process 1 is %s", got)
	}
	b.must(c.Signal(unix.SIGKILL))
	if exit, err := c.Wait(); err != nil || exit.Signal() != unix.SIGKILL {
		t.Errorf("wait: %v, %v", exit, err)
	}
	b.must(c.Destroy())
	if left := b.remains(); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

// A checkpoint that fails is no end of the container: here criu does not know
// the file that its output goes to.
func TestCheckpointFailureLeavesItRunning(t *testing.T) {
	b := newBox(t)
	if _, err := criu.Find(); err != nil {
		t.Skip(err)
	}
	outside, err := os.Create(filepath.Join(b.dir, "outside"))
	b.must(err)
	defer outside.Close()
	b.config.Process.Args = []string{"sleep", "1000"}
	bundle, err := b.load()
	b.must(err)
	c, err := b.runtime.Create("box", bundle, CreateOptions{Stdio: [3]*os.File{nil, outside, outside}})
	b.must(err)
	defer c.Destroy()
	b.must(c.Start())
	images := filepath.Join(b.dir, "image")
	err = c.Checkpoint(CheckpointOptions{ImageOptions: ImageOptions{Images: images}})
	var failure *criu.Error
	if !errors.As(err, &failure) || failure.Phase != "dump" || failure.Log != filepath.Join(images, dumpLog) || failure.Cause == "" {
		t.Errorf("got %v", err)
	}
	b.expect(Running)
	b.execs(c, "true")
}

func TestCheckpointRefuses(t *testing.T) {
	b := newBox(t)
	c := b.running()
	images := filepath.Join(b.dir, "image")
	for _, o := range []struct {
		parent, want string
	}{
		{"/absolute", "--parent-path must be relative"},
		{"nowhere", "invalid --parent-path"},
		{"../config.json", "not a directory"},
	} {
		err := c.Checkpoint(CheckpointOptions{ImageOptions: ImageOptions{Images: images}, Parent: o.parent})
		if err == nil || !strings.Contains(err.Error(), o.want) {
			t.Errorf("--parent-path %s: got %v, want %s", o.parent, err, o.want)
		}
	}
	b.must(c.Signal(unix.SIGKILL))
	_, err := c.Wait()
	b.must(err)
	err = c.Checkpoint(CheckpointOptions{ImageOptions: ImageOptions{Images: images}})
	if !errors.Is(err, ErrNotRunning) || err.Error() != "Container cannot be checkpointed in stopped state" {
		t.Errorf("stopped: got %v", err)
	}
}

// image makes what looks like an image, with more files.
func (b *box) image(entries map[string]string) string {
	b.t.Helper()
	dir := filepath.Join(b.dir, "image")
	tree(b.t, dir, entries)
	b.must(os.WriteFile(filepath.Join(dir, descriptorsFile), []byte(noPipes), 0o600))
	return dir
}

// Whatever a restoration fails of, nothing is left.
func TestRestoreFailureLeavesNothing(t *testing.T) {
	for _, c := range []struct {
		name   string
		image  map[string]string
		change func(b *box)
		want   string
	}{
		{"a link in the image", map[string]string{"pages-1.img": "/etc/shadow"}, func(*box) {}, "pages-1.img is not a regular file"},
		{"no image", nil, func(*box) {}, "criu failed to restore"},
		{"a source that is missing", nil, func(b *box) {
			b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: "/data", Source: "/nonexistent", Options: []string{"bind"}})
		}, "mounting /nonexistent at /data: no such file or directory"},
		{"no mount namespace", nil, func(b *box) { b.config.Linux.Namespaces = b.config.Linux.Namespaces[:1] }, ""},
		{"an idmapped mount", nil, func(b *box) {
			b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: "/data", Source: "/tmp", Options: []string{"bind", "idmap"}})
		}, "criu cannot restore an idmapped mount"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBox(t)
			if _, err := criu.Find(); err != nil {
				t.Skip(err)
			}
			c.change(b)
			bundle, err := b.load()
			if err != nil {
				return // such a configuration is refused by all commands
			}
			before := b.remains()
			_, err = b.runtime.Restore("box", bundle, RestoreOptions{ImageOptions: ImageOptions{Images: b.image(c.image)}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if left := b.remains(); left != before {
				t.Errorf("left behind:\n%s", left)
			}
		})
	}
}

// Missing mount points are made in the root file system, never outside of it.
func TestRestoreMakesMountPointsInside(t *testing.T) {
	b := newBox(t)
	if _, err := criu.Find(); err != nil {
		t.Skip(err)
	}
	victim := filepath.Join(b.dir, "victim")
	b.must(os.Mkdir(victim, 0o755))
	b.must(os.Symlink(victim, b.rootfs("evil")))
	b.config.Mounts = append(b.config.Mounts,
		specs.Mount{Destination: "/evil/below", Source: b.dir, Options: []string{"bind"}},
		specs.Mount{Destination: "/fresh/point", Source: b.dir, Options: []string{"bind"}},
		specs.Mount{Destination: "/fresh/cgroups", Type: "cgroup", Source: "cgroup"})
	bundle, err := b.load()
	b.must(err)
	if _, err := b.runtime.Restore("box", bundle, RestoreOptions{ImageOptions: ImageOptions{Images: b.image(nil)}}); err == nil {
		t.Error("an image of nothing was restored")
	}
	if entries, err := os.ReadDir(victim); err != nil || len(entries) > 0 {
		t.Errorf("outside: %v, %v", entries, err)
	}
	for _, inside := range []string{"fresh/point", "fresh/cgroups"} {
		if _, err := os.Stat(b.rootfs(inside)); err != nil {
			t.Errorf("inside: %v", err)
		}
	}
	if left := b.remains(); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

// Killed at any event, both commands leave what delete --force removes. They
// run in a process of its own, which kills itself when what it logs begins with
// $DAVIT_TEST_KILL.
func TestKilledAtEvents(t *testing.T) {
	if os.Getenv("DAVIT_TEST_KILL") != "" {
		dieAtEvent(t)
		return
	}
	needs.CRIU(t)
	for _, command := range []string{"checkpoint", "restore"} {
		for _, event := range killEvents(command) {
			t.Run(command+" "+event, func(t *testing.T) {
				b := newBox(t)
				b.config.Process.Args = []string{"sleep", "1000"}
				_, err := b.load()
				b.must(err)
				t.Cleanup(func() { b.runtime.ForceRemove("box") })
				b.makeImage(command == "restore")
				b.dieAt(command, event)
				b.must(b.runtime.ForceRemove("box"))
				if left := b.remains(); left != "" {
					t.Errorf("left behind:\n%s", left)
				}
			})
		}
	}
}

func killEvents(command string) []string {
	if command == "checkpoint" {
		return []string{"criu is", "criu: pre-dump", "criu: network-lock", "criu: post-dump"}
	}
	return []string{"criu is", "criu: pre-restore", "criu: setup-namespaces", "criu: post-setup-namespaces",
		"criu: post-restore", "criu: pre-resume", "criu: post-resume"}
}

// makeImage starts the container; with restorable it is written to an image.
func (b *box) makeImage(restorable bool) {
	b.t.Helper()
	c := b.leave()
	if !restorable {
		b.must(c.Close())
		return
	}
	b.must(c.Checkpoint(CheckpointOptions{ImageOptions: ImageOptions{Images: filepath.Join(b.dir, "image")}}))
	b.must(c.Destroy())
}

// leave starts the container as it is on disk.
func (b *box) leave() *Container {
	b.t.Helper()
	bundle, err := LoadBundle(b.dir, "")
	b.must(err)
	c, err := b.runtime.Create("box", bundle, CreateOptions{})
	b.must(err)
	b.must(c.Start())
	return c
}

func (b *box) dieAt(command, event string) {
	b.t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestKilledAtEvents$")
	cmd.Env = append(os.Environ(), "DAVIT_TEST_KILL="+event, "DAVIT_TEST_COMMAND="+command, "DAVIT_TEST_DIR="+b.dir)
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
		b.t.Fatalf("it ended with %v", err)
	}
}

func dieAtEvent(t *testing.T) {
	dir := os.Getenv("DAVIT_TEST_DIR")
	r := &Runtime{Root: filepath.Join(dir, "state"), Debug: func(message string) {
		if strings.HasPrefix(message, os.Getenv("DAVIT_TEST_KILL")) {
			unix.Kill(os.Getpid(), unix.SIGKILL)
		}
	}}
	image := ImageOptions{Images: filepath.Join(dir, "image")}
	if os.Getenv("DAVIT_TEST_COMMAND") == "checkpoint" {
		c, err := r.Load("box")
		if err == nil {
			err = c.Checkpoint(CheckpointOptions{ImageOptions: image})
		}
		t.Fatal(err)
	}
	bundle, err := LoadBundle(dir, "")
	if err == nil {
		_, err = r.Restore("box", bundle, RestoreOptions{ImageOptions: image})
	}
	t.Fatal(err)
}
