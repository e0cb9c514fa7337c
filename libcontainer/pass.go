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
func (m *making) passConsole(master *os.File) error {
	if m.outlets.consoleSocket != "" {
		return sendFile(m.outlets.consoleSocket, "console socket", []byte("/dev/ptmx"), master)
	}
	if m.outlets.console == nil {
		return fmt.Errorf("handing on the terminal: process.terminal is set and there is no console socket")
	}
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("handing on the terminal: %w", err)
	}
	return m.outlets.console(os.NewFile(uintptr(fd), "/dev/ptmx"))
}

// sendPidfd hands on the pidfd of the container's process.
func (m *making) sendPidfd() error {
	if m.outlets.pidfdSocket == "" {
		return nil
	}
	return sendFile(m.outlets.pidfdSocket, "pidfd socket", []byte("pidfd"), m.stage.Pidfd)
}

// passListener hands the seccomp listener to the agent, with the state that
// tells it whose it is.
// Spec: config-linux.md#seccomp (listenerPath, container process state)
func (m *making) passListener(listener *os.File) error {
	s, state := m.observed()
	msg, err := json.Marshal(specs.ContainerProcessState{
		Version:  specs.Version,
		Fds:      []string{specs.SeccompFdName},
		Pid:      m.stage.Pid,
		Metadata: s.ListenerMetadata,
		State:    state,
	})
	if err != nil {
		return fmt.Errorf("encoding the container process state: %w", err)
	}
	if err := sendFile(s.ListenerPath, "seccomp agent", msg, listener); err != nil {
		return fmt.Errorf("failed to connect with seccomp agent: %w", err)
	}
	return nil
}

// observed: the container is being created, and this is its process.
func (c *creation) observed() (*specs.LinuxSeccomp, specs.State) {
	return c.bundle.Spec.Linux.Seccomp, specs.State{
		Version: c.state.OCIVersion, ID: c.id, Status: specs.StateCreating, Pid: c.stage.Pid,
		Bundle: c.bundle.Path, Annotations: c.state.Annotations,
	}
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
