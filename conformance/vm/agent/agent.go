// Package agent serves the host from inside a guest: it runs the commands that
// the host asks for, and tells what they write and how they end.
//
// It is not for the host's side, and needs a guest's systemd.
package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/vm/wire"
)

// OpenPort opens the serial port to the host. There is no udev in a guest that
// would make a link with the port's name; the kernel's number for it depends on
// which other devices there are.
func OpenPort() (*os.File, error) {
	ports, err := filepath.Glob("/dev/vport*p1")
	if err != nil {
		return nil, err
	}
	if len(ports) != 1 {
		return nil, fmt.Errorf("finding the port to the host: there are %d", len(ports))
	}
	// Blocking: a write then returns when the host has the bytes. What waits
	// for a port by epoll can miss that the port has room again.
	fd, err := unix.Open(ports[0], unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: ports[0], Err: err}
	}
	return os.NewFile(uintptr(fd), ports[0]), nil
}

// Serve answers the host's requests on a port, until the host closes it.
func Serve(port io.ReadWriter) error {
	if err := wire.Write(port, wire.Ready, nil); err != nil {
		return fmt.Errorf("greeting the host: %w", err)
	}
	for {
		kind, payload, err := wire.Read(port)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading a request: %w", err)
		}
		if kind != wire.Run {
			return fmt.Errorf("reading a request: unexpected frame %q", kind)
		}
		if err := answer(port, payload); err != nil {
			return fmt.Errorf("answering the host: %w", err)
		}
	}
}

// answer runs one request. An error is one of the port.
func answer(port io.Writer, payload []byte) error {
	var request wire.Request
	if err := json.Unmarshal(payload, &request); err != nil {
		return wire.Write(port, wire.Refused, []byte(err.Error()))
	}
	if err := prepare(request); err != nil {
		return wire.Write(port, wire.Refused, []byte(err.Error()))
	}
	status, err := run(port, request)
	if err != nil {
		return wire.Write(port, wire.Refused, []byte(err.Error()))
	}
	return wire.WriteJSON(port, wire.Exited, wire.Exit{Status: status})
}

// prepare gives the guest what the request relies on.
func prepare(request wire.Request) error {
	now := unix.NsecToTimespec(request.Now.UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &now); err != nil {
		return fmt.Errorf("setting the clock: %w", err)
	}
	if err := seed(request.Seed); err != nil {
		return fmt.Errorf("seeding the random numbers: %w", err)
	}
	if err := showShares(request.Shares); err != nil {
		return err
	}
	if request.User {
		return startSession()
	}
	return nil
}

// seed makes the kernel's random numbers differ from those of other guests that
// were restored from the same state.
func seed(chance string) error {
	random, err := os.OpenFile("/dev/urandom", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer random.Close()
	if _, err := random.WriteString(chance); err != nil {
		return err
	}
	// Linux 4.12: RNDRESEEDCRNG.
	_, err = unix.IoctlRetInt(int(random.Fd()), unix.RNDRESEEDCRNG)
	return err
}

// run runs the request's command and sends what it writes.
func run(port io.Writer, request wire.Request) (status int, err error) {
	cmd := command(request)
	frames := &sender{port: port}
	cmd.Stdout = stream{frames, wire.Stdout}
	cmd.Stderr = stream{frames, wire.Stderr}
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exitStatus(exit.ProcessState), nil
	}
	return 0, err
}

// exitStatus is a process's exit status as a shell would give it.
func exitStatus(state *os.ProcessState) int {
	if status := state.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// A sender keeps the frames of two streams apart.
type sender struct {
	mu   sync.Mutex
	port io.Writer
}

// A stream is one of a command's outputs.
type stream struct {
	*sender
	kind wire.Kind
}

// Write sends bytes as a frame.
func (s stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := wire.Write(s.port, s.kind, p); err != nil {
		return 0, err
	}
	return len(p), nil
}
