package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/loop"
	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/ttrpc"

	"github.com/davit-containers/davit/conformance/guard"
	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/conformance/programs"
)

// program builds this command once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "shim-program")
	if err != nil {
		return "", err
	}
	return programs.Build(dir, "containerd-shim-davit-v2", "shim/containerd-shim-davit-v2")
})

// TestMain runs the tests with a guard, which also removes the program.
func TestMain(m *testing.M) { os.Exit(guard.Run(m.Run)) }

// client is a connection to a supervisor, for a test that waits.
type client struct {
	loop *loop.Loop
	c    *ttrpc.Client
}

func dial(address string) (*client, error) {
	l, err := loop.New()
	if err != nil {
		return nil, err
	}
	c, err := ttrpc.Dial(l, strings.TrimPrefix(address, "unix://"), nil)
	if err != nil {
		return nil, err
	}
	go l.Run()
	return &client{l, c}, nil
}

// answerTime is more than any answer takes.
const answerTime = 30 * time.Second

// call makes a call of the task service, and waits for the answer.
func (c *client) call(method string, in, out protobuf.Message) error {
	return c.callOf("containerd.task.v3.Task", method, in, out)
}

func (c *client) callOf(service, method string, in, out protobuf.Message) error {
	done := make(chan error, 1)
	c.loop.Post(func() {
		c.c.Call(service, method, in, func(data []byte, err error) {
			if err == nil {
				err = protobuf.Unmarshal(data, out)
			}
			done <- err
		})
	})
	select {
	case err := <-done:
		return err
	case <-time.After(answerTime):
		return errors.New("no answer to " + method)
	}
}

func (c *client) close() {
	c.loop.Post(func() {
		c.c.Close()
		c.loop.Stop()
	})
}

// pod is a directory of bundles with a supervisor.
type pod struct {
	t       *testing.T
	dir     string
	address string
	binary  string // another runtime's
	client  *client

	terminal bool // the containers' processes have one
	debug    bool // the supervisor has a socket for questions

	events string       // the socket that takes events
	shim   *api.Options // the supervisor's own
}

// newPod starts a supervisor for a first bundle.
func newPod(t *testing.T) *pod {
	t.Helper()
	needs.Root(t, "containers are made")
	needs.File(t, "/bin/busybox", "busybox-static")
	p := &pod{t: t, dir: t.TempDir()}
	t.Cleanup(p.end)
	return p
}

// bundle makes a bundle whose program is a shell's.
func (p *pod) bundle(id, script string) string {
	p.t.Helper()
	dir := filepath.Join(p.dir, "bundles", id)
	root := filepath.Join(dir, "rootfs")
	for _, d := range []string{"bin", "proc", "dev", "tmp", "sys"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := os.Link("/bin/busybox", filepath.Join(root, "bin/sh")); err != nil {
		data, err := os.ReadFile("/bin/busybox")
		if err == nil {
			err = os.WriteFile(filepath.Join(root, "bin/sh"), data, 0o755)
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
	config := map[string]any{
		"ociVersion":  "1.0.2",
		"annotations": map[string]string{"io.containerd.runc.v2.group": filepath.Base(p.dir)},
		"process":     map[string]any{"terminal": p.terminal, "args": []string{"/bin/sh", "-c", script}, "cwd": "/", "env": []string{"PATH=/bin", "ID=" + id}, "user": map[string]int{"uid": 0, "gid": 0}},
		"root":        map[string]any{"path": "rootfs"},
		"mounts": []any{
			map[string]any{"type": "proc", "source": "proc", "destination": "/proc"},
			map[string]any{"type": "tmpfs", "source": "tmpfs", "destination": "/dev", "options": []string{"mode=755"}},
			map[string]any{"type": "devpts", "source": "devpts", "destination": "/dev/pts", "options": []string{"newinstance", "ptmxmode=0666"}},
		},
		"linux": map[string]any{
			"cgroupsPath": "/" + testCgroup(id),
			"namespaces":  []any{map[string]string{"type": "pid"}, map[string]string{"type": "mount"}},
		},
	}
	data, err := json.Marshal(config)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "config.json"), data, 0o644)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return dir
}

// testCgroup is the name of a container's cgroup.
func testCgroup(id string) string { return guard.Name() + "shim-" + id }

// start runs the program's start for a bundle.
func (p *pod) start(id string) string {
	p.t.Helper()
	path, err := program()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(path, "-namespace", "test", "-id", id, "-address", p.dir, "start")
	cmd.Dir = filepath.Join(p.dir, "bundles", id)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	params := &api.BootstrapParams{InstanceID: id, Namespace: "test", SocketDir: filepath.Join(p.dir, "s")}
	if p.debug {
		params.LogLevel = api.LogDebug
	}
	params.ContainerdTtrpcAddress = p.events
	if p.shim != nil {
		params.Extensions = []api.Extension{{Value: protobuf.Pack(api.OptionsName, p.shim)}}
	}
	cmd.Stdin = bytes.NewReader(protobuf.Marshal(params))
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("start: %v: %s", err, out)
	}
	result := api.BootstrapResult{}
	if err := protobuf.Unmarshal(out, &result); err != nil || result.Version != 3 || result.Protocol != "ttrpc" {
		p.t.Fatalf("start printed %q: %v", out, err)
	}
	p.address = result.Address
	return result.Address
}

// connect connects to the supervisor.
func (p *pod) connect() *client {
	p.t.Helper()
	if p.client == nil {
		var err error
		if p.client, err = dial(p.address); err != nil {
			p.t.Fatal(err)
		}
	}
	return p.client
}

// do makes a call that must succeed.
func (p *pod) do(method string, in, out protobuf.Message) {
	p.t.Helper()
	if err := p.connect().call(method, in, out); err != nil {
		p.t.Fatalf("%s: %v", method, err)
	}
}

// run makes and starts a container whose output goes to a file.
func (p *pod) run(id, script string) (out string) {
	p.t.Helper()
	p.bundle(id, script)
	return p.launch(id)
}

// launch makes and starts the container of a bundle.
func (p *pod) launch(id string) (out string) {
	p.t.Helper()
	dir := filepath.Join(p.dir, "bundles", id)
	p.start(id)
	out = filepath.Join(p.dir, id+".out")
	p.do("Create", &api.CreateTaskRequest{ID: id, Bundle: dir, Stdout: "file://" + out, Options: p.options()}, &api.CreateTaskResponse{})
	p.do("Start", &api.StartRequest{ID: id}, &api.StartResponse{})
	return out
}

// options keep the containers' states in the test's directory.
func (p *pod) options() *protobuf.Any {
	return protobuf.Pack(api.OptionsName, &api.Options{Root: filepath.Join(p.dir, "root"), BinaryName: p.binary})
}

// wait waits for a process's end.
func (p *pod) wait(id, exec string) uint32 {
	p.t.Helper()
	w := api.WaitResponse{}
	p.do("Wait", &api.WaitRequest{ID: id, ExecID: exec}, &w)
	return w.ExitStatus
}

func (p *pod) delete(id string) *api.DeleteResponse {
	p.t.Helper()
	d := &api.DeleteResponse{}
	p.do("Delete", &api.DeleteRequest{ID: id}, d)
	return d
}

// supervisor is the pid of the supervisor.
func (p *pod) supervisor() int {
	p.t.Helper()
	c := api.ConnectResponse{}
	p.do("Connect", &api.ConnectRequest{}, &c)
	return int(c.ShimPid)
}

// kill kills the supervisor, and waits for the next one.
func (p *pod) kill() {
	p.t.Helper()
	old := p.supervisor()
	if err := unix.Kill(old, unix.SIGKILL); err != nil {
		p.t.Fatal(err)
	}
	p.client.close()
	p.client = nil
	// The socket is the keeper's: a connection waits for the next supervisor.
	if now := p.supervisor(); now == old {
		p.t.Fatalf("the supervisor is still %d", old)
	}
}

// end ends whatever is left.
func (p *pod) end() {
	if p.address == "" {
		return
	}
	entries, _ := os.ReadDir(filepath.Join(p.dir, "bundles"))
	for _, e := range entries {
		c := p.connect()
		c.call("Kill", &api.KillRequest{ID: e.Name(), Signal: uint32(unix.SIGKILL), All: true}, &protobuf.Empty{})
		c.call("Wait", &api.WaitRequest{ID: e.Name()}, &api.WaitResponse{})
		c.call("Delete", &api.DeleteRequest{ID: e.Name()}, &api.DeleteResponse{})
	}
	keeper := parentOf(p.supervisor())
	pidfd, err := unix.PidfdOpen(keeper, 0)
	if err != nil {
		p.t.Error(err)
		return
	}
	defer unix.Close(pidfd)
	p.do("Shutdown", &api.ShutdownRequest{}, &protobuf.Empty{})
	p.client.close()
	poll := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	if n, err := unix.Poll(poll, int(answerTime.Milliseconds())); n != 1 {
		p.t.Errorf("the keeper has not ended: %v", err)
	}
	left, err := os.ReadDir(filepath.Join(p.dir, "s"))
	if len(left) > 0 || err != nil {
		p.t.Errorf("left in the directory of sockets: %v, %v", left, err)
	}
}

func parentOf(pid int) int {
	stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	parent, _ := strconv.Atoi(fields[1])
	return parent
}
