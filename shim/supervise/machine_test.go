package supervise

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/guard"
	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/logs"
)

// TestMain lets the tests' program be the supervisor.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == Command {
		host := Host{Remove: removeForTest}
		if Serve(os.Args[2], len(os.Args) > 3, host) != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(guard.Run(m.Run))
}

// killsRemover is a file in a store's root that has the next supervisor killed while it
// removes its container.
const killsRemover = "killed-while-removing"

func removeForTest(_ context.Context, c *container.Container) error {
	l, err := c.Lock()
	if errors.Is(err, container.ErrNotExist) {
		left, err := c.Store().Leftovers()
		for _, l := range left {
			err = errors.Join(err, l.Remove())
		}
		return err
	}
	if err != nil {
		return err
	}
	if os.Remove(filepath.Join(c.Store().Root(), killsRemover)) == nil {
		return errors.Join(l.Hide(), unix.Kill(os.Getpid(), unix.SIGKILL))
	}
	return l.Remove()
}

// machine is a store of containers for a test.
type machine struct {
	t     *testing.T
	store *container.Store
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	needs.Root(t, "it makes containers")
	needs.File(t, "/bin/busybox", "busybox-static")
	store, err := container.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t, store}
	t.Cleanup(m.clean)
	return m
}

// clean ends what a test left, and looks for what the package left.
func (m *machine) clean() {
	list, err := m.store.List()
	if err != nil {
		m.t.Error(err)
	}
	for _, c := range list {
		pid, missing := m.supervisor(c)
		client, err := Dial(c)
		if err == nil {
			now := time.Duration(0)
			client.Stop(context.Background(), StopOptions{Signal: unix.SIGKILL, Timeout: &now})
			client.End(context.Background())
			client.Close()
		}
		if missing == nil {
			m.awaitEnd(pid, 10_000) // it writes to the test's directory
		}
		m.freed(c)
		m.sawErrors(c)
	}
	m.store.TidyRun()
	if left, _ := filepath.Glob(m.store.Run() + "/*"); len(left) > 0 {
		m.t.Errorf("left: %v", left)
	}
	os.RemoveAll(m.store.Run())
}

// freed waits until a container has no supervisor.
func (m *machine) freed(c *container.Container) error {
	lock, err := c.SuperviseNext()
	if err == nil {
		err = lock.Close()
	}
	return err
}

// sawErrors fails where a supervisor noted an error.
func (m *machine) sawErrors(c *container.Container) {
	data, _ := os.ReadFile(filepath.Join(c.Dir(), logFile))
	for line := range bytes.Lines(data) {
		if bytes.Contains(line, []byte(" error: ")) {
			m.t.Errorf("%s", line)
		}
	}
}

// create makes a container that runs a script.
func (m *machine) create(script string, change func(*container.Config)) *container.Container {
	m.t.Helper()
	config := container.Config{ImageName: "busybox"}
	if change != nil {
		change(&config)
	}
	l, err := m.store.Create(config)
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.bundle(l.Container, script); err != nil {
		m.t.Fatal(err)
	}
	if err := l.Ready(); err != nil {
		m.t.Fatal(err)
	}
	l.Unlock()
	return l.Container
}

func (m *machine) bundle(c *container.Container, script string) error {
	root := filepath.Join(c.Bundle(), "rootfs")
	for _, d := range []string{"bin", "proc", "dev", "tmp", "sys"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	data, err := os.ReadFile("/bin/busybox")
	if err == nil {
		err = os.WriteFile(filepath.Join(root, "bin/sh"), data, 0o755)
	}
	if err != nil {
		return err
	}
	type object = map[string]any
	config := object{
		"ociVersion": "1.0.2",
		"process": object{
			"terminal": c.Config.Terminal, "args": []string{"/bin/sh", "-c", script}, "cwd": "/",
			"env": []string{"PATH=/bin"}, "user": map[string]int{"uid": 0, "gid": 0},
		},
		"root": object{"path": "rootfs"},
		"mounts": []any{
			object{"type": "proc", "source": "proc", "destination": "/proc"},
			object{"type": "tmpfs", "source": "tmpfs", "destination": "/dev", "options": []string{"mode=755"}},
			object{"type": "devpts", "source": "devpts", "destination": "/dev/pts", "options": []string{"newinstance", "ptmxmode=0666"}},
		},
		"linux": object{
			"cgroupsPath": "/" + guard.Name() + c.Config.ID[:8],
			"namespaces":  []any{map[string]string{"type": "pid"}, map[string]string{"type": "mount"}},
		},
	}
	if data, err = json.Marshal(config); err == nil {
		err = os.WriteFile(filepath.Join(c.Bundle(), "config.json"), data, 0o644)
	}
	return err
}

// start starts a container.
func (m *machine) start(c *container.Container, attach bool) *Client {
	m.t.Helper()
	client, err := Start(context.Background(), c, StartOptions{Attach: attach})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(client.Close)
	return client
}

// supervisor is the supervisor's process, and keeper its parent.
func (m *machine) supervisor(c *container.Container) (int, error) { return m.process(c, false) }

func (m *machine) keeper(c *container.Container) (int, error) { return m.process(c, true) }

func (m *machine) process(c *container.Container, keeper bool) (int, error) {
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	for _, path := range all {
		data, _ := os.ReadFile(path)
		args := bytes.Split(data, []byte{0})
		if i := slices.IndexFunc(args, func(a []byte) bool { return string(a) == Command }); i < 0 || i+1 >= len(args) || string(args[i+1]) != c.Dir() {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return 0, err
		}
		if comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); (string(comm) == "davit-keeper\n") == keeper {
			return pid, nil
		}
	}
	return 0, errors.New("there is no such process")
}

// logged is what a container's log has.
func (m *machine) logged(c *container.Container) (stdout, stderr string) {
	m.t.Helper()
	var out, err bytes.Buffer
	if err := logs.Copy(context.Background(), LogPath(c), logs.Query{Tail: logs.AllLines}, logs.Output{Stdout: &out, Stderr: &err}); err != nil {
		m.t.Fatal(err)
	}
	return out.String(), err.String()
}

// touch makes a file in a container.
func (m *machine) touch(c *container.Container, path string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(c.Bundle(), "rootfs", path), nil, 0o644); err != nil {
		m.t.Fatal(err)
	}
}
