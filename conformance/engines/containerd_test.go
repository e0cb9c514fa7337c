package engines

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-containers/davit/conformance/needs"
)

const (
	box     = "docker.io/library/box:latest"
	runtime = "io.containerd.davit.v2"
)

// hog takes all the memory there is.
const hog = "x=a; while :; do x=$x$x; done"

// containerd starts a containerd that has an image.
func containerd(t *testing.T) *engine {
	t.Helper()
	programs := machine(t, "containerd", "ctr")
	dir := t.TempDir()
	e := &engine{t: t, dir: dir, client: []string{"ctr", "--address", dir + "/c"}, env: []string{"PATH=" + programs + ":" + os.Getenv("PATH")}}
	config := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = %q\n", dir+"/root", dir+"/state", dir+"/c")
	if err := os.WriteFile(dir+"/config.toml", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	e.serve("containerd successfully booted", "containerd", "--config", dir+"/config.toml")
	t.Cleanup(e.stop)
	e.must(0, "", "image", "import", image(t, box))
	return e
}

// events are the topics of what happens to a container from now on, in order,
// up to one.
func (e *engine) events(id string) (await func(last string) []string) {
	e.t.Helper()
	cmd := exec.Command("ctr", "--address", e.dir+"/c", "events")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := make(chan string, 1000)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
		close(lines)
	}()
	e.subscribed(lines)
	return func(last string) (topics []string) {
		for line := range lines {
			if f := strings.Fields(line); len(f) > 6 && strings.HasPrefix(f[5], "/tasks/") && strings.Contains(line, `"`+id+`"`) {
				topics = append(topics, strings.TrimPrefix(f[5], "/tasks/"))
			}
			if slices.Contains(topics, last) {
				return topics
			}
		}
		e.t.Fatalf("of %s there is no event %s, but %v", id, last, topics)
		return nil
	}
}

// subscribed returns when events come: nothing says so but an event, so the
// image gets labels until one is seen.
func (e *engine) subscribed(lines <-chan string) {
	for i := 0; ; i++ {
		e.must(0, "", "image", "label", box, fmt.Sprintf("seen=%d", i))
		select {
		case line, more := <-lines:
			if !more {
				e.t.Fatal("ctr events has ended")
			}
			if strings.Contains(line, "/images/update") {
				return
			}
		default:
		}
	}
}

func TestContainerd(t *testing.T) {
	e := containerd(t)
	await := e.events("one")
	e.must(7, "hello", "run", "--rm", "--runtime", runtime, box, "one", "/bin/sh", "-c", "echo hello; exit 7")
	if got, want := await("delete"), []string{"create", "start", "exit", "delete"}; !slices.Equal(got, want) {
		t.Errorf("the events are %v, want %v", got, want)
	}
	e.must(1, `exec: "/bin/nothing": no such file or directory`, "run", "--rm", "--runtime", runtime, box, "two", "/bin/nothing")
	e.must(0, "", "run", "-d", "--runtime", runtime, box, "three", "/bin/sleep", "1000")
	e.must(4, "", "task", "exec", "--exec-id", "x", "three", "/bin/sh", "-c", "exit 4")
	e.must(0, "", "task", "pause", "three")
	e.must(0, "PAUSED", "task", "ls")
	e.must(0, "", "task", "resume", "three")
	e.must(0, "METRIC", "task", "metrics", "three")
	e.must(0, "", "task", "rm", "--force", "three")
}

func TestContainerdOOM(t *testing.T) {
	e := containerd(t)
	if _, err := os.Stat("/sys/fs/cgroup/memory"); err != nil {
		if controllers, _ := os.ReadFile("/sys/fs/cgroup/cgroup.controllers"); !strings.Contains(string(controllers), "memory") {
			needs.Controller(t, "memory", 2)
		}
	}
	await := e.events("hog")
	e.must(137, "", "run", "--rm", "--memory-limit", "33554432", "--runtime", runtime, box, "hog", "/bin/sh", "-c", hog)
	topics := await("delete")
	oom, exit := slices.Index(topics, "oom"), slices.Index(topics, "exit")
	if oom < 0 || exit < oom {
		t.Errorf("the events are %v: oom is not before exit", topics)
	}
}

// A containerd that is killed and started again finds its containers.
func TestContainerdRestart(t *testing.T) {
	e := containerd(t)
	e.must(0, "", "run", "-d", "--runtime", runtime, box, "one", "/bin/sleep", "1000")
	e.daemon.Process.Kill()
	e.daemon.Wait()
	e.again()
	e.must(0, "RUNNING", "task", "ls")
	e.must(4, "", "task", "exec", "--exec-id", "x", "one", "/bin/sh", "-c", "exit 4")
	await := e.events("one")
	e.must(0, "", "task", "kill", "--signal", "KILL", "one")
	await("exit")
	e.must(0, "STOPPED", "task", "ls")
	e.must(0, "", "task", "rm", "one")
}

// A supervisor that is killed: containerd notices nothing, and the container and
// whoever waits for it neither.
func TestContainerdShimKilled(t *testing.T) {
	e := containerd(t)
	await := e.events("one")
	waited := make(chan int, 1)
	go func() {
		_, status := e.run("run", "--runtime", runtime, box, "one", "/bin/sh", "-c", "trap 'exit 9' TERM; while :; do sleep 1000 & wait $!; done")
		waited <- status
	}()
	await("start")
	for range 3 {
		supervisor, _ := supervisorOf(t, e.dir)
		if err := syscall.Kill(supervisor, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		e.must(4, "", "task", "exec", "--exec-id", "x", "one", "/bin/sh", "-c", "exit 4")
		e.must(0, "RUNNING", "task", "ls")
	}
	e.must(0, "", "task", "kill", "one")
	if status := <-waited; status != 9 {
		t.Errorf("the container ended with status %d", status)
	}
	e.must(0, "", "container", "rm", "one")
}

// A supervisor that is killed with its keeper: containerd hears of the container's
// end, and nothing is left.
func TestContainerdShimAndKeeperKilled(t *testing.T) {
	e := containerd(t)
	e.must(0, "", "run", "-d", "--runtime", runtime, box, "one", "/bin/sleep", "1000")
	await := e.events("one")
	supervisor, keeper := supervisorOf(t, e.dir)
	for _, pid := range []int{keeper, supervisor} {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	await("exit")
	e.must(0, "", "container", "rm", "one")
	if pids := processesWith(t, e.dir+"/c"); len(pids) > 0 {
		t.Errorf("left: processes %v", pids)
	}
}

// A container that was written to an image goes on where it was: what it knew is in
// its memory alone.
func TestContainerdCheckpoint(t *testing.T) {
	needs.CRIU(t)
	e := containerd(t)
	e.must(0, "", "run", "-d", "--runtime", runtime, box, "kept", "/bin/sh", "-c",
		"token=$(cat /proc/sys/kernel/random/uuid); echo $token >/token; while :; do [ -e /ask ] && echo $token >/answer; sleep 0.1; done")
	token, status := e.run("task", "exec", "--exec-id", "x", "kept", "/bin/sh", "-c", "until [ -s /token ]; do sleep 0.1; done; cat /token; rm /token")
	if len(token) < 36 || status != 0 {
		t.Fatalf("the token is %q, status %d", token, status)
	}
	e.must(0, "", "container", "checkpoint", "--rw", "--task", "--image", "kept", "checkpoint/kept")
	e.must(0, "", "task", "rm", "--force", "kept")
	e.must(0, "", "container", "rm", "kept")
	e.must(0, "", "container", "restore", "--rw", "--live", "kept", "checkpoint/kept")
	e.must(0, token, "task", "exec", "--exec-id", "x", "kept", "/bin/sh", "-c", ">/ask; until [ -s /answer ]; do sleep 0.1; done; cat /answer")
	e.must(0, "", "task", "rm", "--force", "kept")
	e.must(0, "", "container", "rm", "kept")
}

// supervisorOf are the pids of the one supervisor of a containerd and its keeper.
func supervisorOf(t *testing.T, dir string) (supervisor, keeper int) {
	t.Helper()
	for _, pid := range processesWith(t, dir+"/c") {
		if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); bytes.HasPrefix(line, []byte("davit-keeper")) {
			keeper = pid
		} else {
			supervisor = pid
		}
	}
	if supervisor == 0 || keeper == 0 {
		t.Fatalf("the supervisor is %d, its keeper %d", supervisor, keeper)
	}
	return supervisor, keeper
}

// processesWith are the pids of shims and keepers with an argument.
func processesWith(t *testing.T, argument string) (pids []int) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		line, _ := os.ReadFile(name)
		if args := strings.Split(string(line), "\x00"); slices.Contains(args, argument) && slices.Contains(args, "serve") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			pids = append(pids, pid)
		}
	}
	return pids
}
