package libcontainer

import (
	"encoding/json"
	"fmt"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// passConsole hands on the terminal's master.
func (c *creation) passConsole(master *os.File) error {
	if c.options.ConsoleSocket != "" {
		return sendFile(c.options.ConsoleSocket, "console socket", []byte("/dev/ptmx"), master)
	}
	if c.options.Console == nil {
		return fmt.Errorf("handing on the terminal: process.terminal is set and there is no console socket")
	}
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("handing on the terminal: %w", err)
	}
	return c.options.Console(os.NewFile(uintptr(fd), "/dev/ptmx"))
}

// sendPidfd hands on the pidfd of the container's process.
func (c *creation) sendPidfd() error {
	if c.options.PidfdSocket == "" {
		return nil
	}
	return sendFile(c.options.PidfdSocket, "pidfd socket", []byte("pidfd"), c.stage.Pidfd)
}

// passListener hands the seccomp listener to the agent, with the state that
// tells it whose it is.
// Spec: config-linux.md#seccomp (listenerPath, container process state)
func (c *creation) passListener(listener *os.File) error {
	s := c.bundle.Spec.Linux.Seccomp
	msg, err := json.Marshal(specs.ContainerProcessState{
		Version:  specs.Version,
		Fds:      []string{specs.SeccompFdName},
		Pid:      c.stage.Pid,
		Metadata: s.ListenerMetadata,
		State: specs.State{
			Version: c.state.OCIVersion, ID: c.id, Status: specs.StateCreating, Pid: c.stage.Pid,
			Bundle: c.bundle.Path, Annotations: c.state.Annotations,
		},
	})
	if err != nil {
		return fmt.Errorf("encoding the container process state: %w", err)
	}
	if err := sendFile(s.ListenerPath, "seccomp agent", msg, listener); err != nil {
		return fmt.Errorf("failed to connect with seccomp agent: %w", err)
	}
	return nil
}

// sendFile connects to a stream socket and sends a descriptor with a message.
func sendFile(path, what string, msg []byte, f *os.File) error {
	sock, err := sys.DialPath(path, unix.SOCK_STREAM)
	if err != nil {
		return fmt.Errorf("connecting to the %s %s: %w", what, path, err)
	}
	defer sock.Close()
	if err := sys.Send(sock, msg, int(f.Fd())); err != nil {
		return fmt.Errorf("sending a descriptor to the %s %s: %w", what, path, err)
	}
	return nil
}
