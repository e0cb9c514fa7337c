package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// manager is the service manager's end in a test.
type manager struct {
	*net.UnixConn
	path string
}

func newManager(t *testing.T) manager {
	t.Helper()
	m, err := listenManager(filepath.Join(t.TempDir(), "manager"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// listenManager makes a manager's socket, which waits ten seconds at most.
func listenManager(path string) (manager, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return manager{}, err
	}
	return manager{conn, path}, conn.SetReadDeadline(time.Now().Add(10 * time.Second))
}

// read gives one message, and the descriptor that came with it, -1 for none.
func (m manager) read(t *testing.T) (string, int) {
	t.Helper()
	message, fd, err := m.receive()
	if err != nil {
		t.Fatalf("reading what the manager was told: %v", err)
	}
	return message, fd
}

func (m manager) receive() (message string, fd int, err error) {
	buf, oob := make([]byte, 1024), make([]byte, 1024)
	n, oobn, _, _, err := m.ReadMsgUnix(buf, oob)
	if err != nil {
		return "", -1, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) == 0 {
		return string(buf[:n]), -1, err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return "", -1, fmt.Errorf("got descriptors %v: %w", fds, err)
	}
	return string(buf[:n]), fds[0], nil
}

func newProxy(t *testing.T, manager, path string) *notifyProxy {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	proxy, err := listenNotify(manager, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.close)
	return proxy
}

// say sends a message as the container's program would, to a socket that may
// have a long path.
func say(t *testing.T, path, message string) {
	t.Helper()
	if err := send(path, message); err != nil {
		t.Fatal(err)
	}
}

func send(path, message string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	addr := &unix.SockaddrUnix{Name: filepath.Join("/proc/self/fd", strconv.Itoa(int(dir.Fd())), filepath.Base(path))}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Sendto(fd, []byte(message), 0, addr)
}

func TestNotifyRelay(t *testing.T) {
	tests := []struct {
		name string
		say  []string
		want string
	}{
		{"ready alone", []string{"READY=1"}, "READY=1\n"},
		{"ready after others", []string{"STATUS=loading", "WATCHDOG=1", "READY=1\n"}, "READY=1\n"},
		{"ready is not the first line", []string{"STATUS=up\nREADY=1\nERRNO=0"}, "READY=1\n"},
		{"the container's pid is not believed", []string{"MAINPID=1\nREADY=1"}, "READY=1\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newManager(t)
			path := filepath.Join(t.TempDir(), "notify", "notify.sock")
			proxy := newProxy(t, m.path, path)
			ended := make(chan error, 1)
			go func() { ended <- proxy.relay(os.Getpid(), 1337) }()
			for _, message := range tt.say {
				say(t, path, message)
			}
			if got, _ := m.read(t); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got, _ := m.read(t); got != "MAINPID=1337\n" {
				t.Errorf("got %q, want the main pid", got)
			}
			expectBarrier(t, m, ended)
		})
	}
}

// expectBarrier checks that the relay waits until the manager has closed the
// barrier's descriptor.
func expectBarrier(t *testing.T, m manager, ended <-chan error) {
	t.Helper()
	got, fd := m.read(t)
	if got != "BARRIER=1" || fd < 0 {
		t.Fatalf("got %q with descriptor %d, want a barrier", got, fd)
	}
	select {
	case err := <-ended:
		t.Fatalf("ended before the barrier was closed: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	unix.Close(fd)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestNotifyProcessEnds(t *testing.T) {
	proxy := newProxy(t, newManager(t).path, filepath.Join(t.TempDir(), "notify", "notify.sock"))
	cmd := exec.Command("sleep", "0.05")
	if err := cmd.Start(); err != nil {
		needs.Program(t, "sleep")
		t.Fatal(err)
	}
	defer cmd.Wait()
	if err := proxy.relay(cmd.Process.Pid, 1); err != nil {
		t.Error(err)
	}
}

func TestNotifyLongPath(t *testing.T) {
	m := newManager(t)
	path := filepath.Join(t.TempDir(), strings.Repeat("x", 200), "notify.sock")
	proxy := newProxy(t, m.path, path)
	ended := make(chan error, 1)
	go func() { ended <- proxy.relay(os.Getpid(), 1) }()
	say(t, path, "READY=1")
	m.read(t)
	m.read(t)
	expectBarrier(t, m, ended)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("got %v, %v, want a socket for every user", info, err)
	}
}

func TestNotifyNothing(t *testing.T) {
	proxy, err := listenNotify("", "/nonexistent/notify.sock")
	if proxy != nil || err != nil {
		t.Fatalf("got %v, %v, want no proxy", proxy, err)
	}
	if err := proxy.relay(1, 1); err != nil {
		t.Error(err)
	}
	proxy.close()
}
