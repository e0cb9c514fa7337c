package supervise

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/container"
)

// A supervisor with nothing to do ends. It comes back for output, for clients and
// for the end of the container, and nothing of them is lost.
func TestSleep(t *testing.T) {
	const script = "exec 3<>/tmp/fifo; echo begin; read x <&3; echo $x; read x <&3; exit $x"
	for _, test := range []struct {
		name   string
		change func(*container.Config)
	}{
		{"plain", nil},
		{"terminal", func(c *container.Config) { c.Terminal = true }},
		{"input", func(c *container.Config) { c.Interactive = true }},
		{"terminal and input", func(c *container.Config) { c.Terminal, c.Interactive = true, true }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			c := m.create(script, test.change)
			if err := unix.Mkfifo(filepath.Join(c.Bundle(), "rootfs/tmp/fifo"), 0o600); err != nil {
				t.Fatal(err)
			}
			m.start(c, false).Close()
			m.awaitSleep(c)
			m.write(c, "middle")
			m.awaitOutput(c, "middle")
			m.killOne(c) // which is no sleep: it is started again at once
			m.write(c, "7")
			client := m.dial(c)
			if status, err := client.Wait(t.Context()); status != 7 || err != nil {
				t.Errorf("status %d, %v", status, err)
			}
			if err := client.End(t.Context()); err != nil {
				t.Error(err)
			}
			if out, _ := m.logged(c); strings.ReplaceAll(out, "\r", "") != "begin\nmiddle\n" {
				t.Errorf("logged %q", out)
			}
		})
	}
}

// The end of a container while nobody is there is told as it was.
func TestEndAsleep(t *testing.T) {
	m := newMachine(t)
	c := m.create("exec sleep 600", nil)
	if err := os.Symlink("sh", c.Bundle()+"/rootfs/bin/sleep"); err != nil {
		t.Fatal(err)
	}
	client := m.start(c, false)
	s, err := c.State()
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	m.awaitSleep(c)
	if err := unix.Kill(s.Pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := m.freed(c); err != nil {
		t.Error(err)
	}
	if s, err = c.State(); err != nil || s.Status != container.Exited || s.ExitCode != 137 {
		t.Errorf("state %+v, %v", s, err)
	}
	if data, err := os.ReadFile(filepath.Join(c.Dir(), logFile)); len(data) > 0 {
		t.Errorf("noted %q, %v", data, err)
	}
}

// A client finds a container whose supervisor sleeps, and it can run further processes in it.
func TestExecAsleep(t *testing.T) {
	m := newMachine(t)
	c := m.create("exec 3<>/tmp/fifo; read x <&3", nil)
	if err := unix.Mkfifo(filepath.Join(c.Bundle(), "rootfs/tmp/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.start(c, false).Close()
	m.awaitSleep(c)
	client := m.dial(c)
	if out, _, status := m.exec(client, script("echo there; exit 4"), ""); out != "there\n" || status != 4 {
		t.Errorf("wrote %q, status %d", out, status)
	}
	if err := client.Stop(t.Context(), StopOptions{Signal: unix.SIGKILL}); err != nil {
		t.Error(err)
	}
}

// A supervisor does not leave its clients.
func TestNoSleep(t *testing.T) {
	m := newMachine(t)
	c := m.create("exec 3<>/tmp/fifo; read x <&3; echo $x", nil)
	if err := unix.Mkfifo(filepath.Join(c.Bundle(), "rootfs/tmp/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	client := m.start(c, true)
	var out bytes.Buffer
	done := make(chan error, 1)
	go func() {
		done <- client.Attach(context.Background(), AttachOptions{First: true}, Streams{Stdout: &out})
	}()
	pid, err := m.supervisor(c)
	if err != nil {
		t.Fatal(err)
	}
	if ended := m.awaitEnd(pid, 2*sleepTime.Milliseconds()); ended {
		t.Error("the supervisor has ended with a client")
	}
	m.write(c, "read")
	if err := <-done; err != nil || out.String() != "read\n" {
		t.Errorf("read %q, %v", out.String(), err)
	}
}

// awaitSleep waits until a container that runs has no supervisor.
func (m *machine) awaitSleep(c *container.Container) {
	m.t.Helper()
	const patience = 60_000
	if pid, err := m.supervisor(c); err == nil && !m.awaitEnd(pid, patience) {
		m.t.Fatal("the supervisor does not sleep")
	}
	if pid, err := m.supervisor(c); err == nil {
		m.t.Errorf("there is another supervisor, %d", pid)
	}
	if s, err := c.State(); err != nil || s.Status != container.Running {
		m.t.Errorf("state %+v, %v", s, err)
	}
}

// awaitEnd waits for the end of a process, some milliseconds.
func (m *machine) awaitEnd(pid int, patience int64) bool {
	m.t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return true
	}
	if err != nil {
		m.t.Fatal(err)
	}
	defer unix.Close(fd)
	set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(set, int(patience))
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Poll(set, int(patience))
	}
	return n > 0
}

// write has the container's script read a line.
func (m *machine) write(c *container.Container, line string) {
	m.t.Helper()
	f, err := os.OpenFile(filepath.Join(c.Bundle(), "rootfs/tmp/fifo"), os.O_RDWR, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, line); err != nil {
		m.t.Error(err)
	}
}

func (m *machine) killOne(c *container.Container) {
	m.t.Helper()
	pid, err := m.supervisor(c)
	if err == nil {
		err = unix.Kill(pid, unix.SIGKILL)
	}
	if err != nil {
		m.t.Error(err)
	}
}

func (m *machine) dial(c *container.Container) *Client {
	m.t.Helper()
	client, err := Dial(c)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(client.Close)
	return client
}
