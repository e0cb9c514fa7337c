package libcontainer

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// The ioctls of a listener, and its structures, from linux/seccomp.h.
const (
	ioctlRecv = 0xc0502100
	ioctlSend = 0xc0182101
)

type notification struct {
	id         uint64
	pid, flags uint32
	data       [64]byte
}

type answer struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// agent lets every call go on of which listeners tell that are sent to its
// socket, and gives the messages that these came with.
func (b *box) agent() (socket string, messages <-chan []byte) {
	b.t.Helper()
	socket = filepath.Join(b.dir, "agent")
	l, err := net.Listen("unix", socket)
	b.must(err)
	b.t.Cleanup(func() { l.Close() })
	received := make(chan []byte, 8)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			raw, _ := conn.(*net.UnixConn).File()
			buf := make([]byte, 64<<10)
			n, files, err := sys.Recv(raw, buf)
			if err == nil && len(files) == 1 {
				received <- buf[:n]
				go letGoOn(files[0])
			}
			raw.Close()
			conn.Close()
		}
	}()
	return socket, received
}

// letGoOn ends with the last process under the filter.
func letGoOn(listener *os.File) {
	defer listener.Close()
	for {
		var n notification
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, listener.Fd(), ioctlRecv, uintptr(unsafe.Pointer(&n))); errno == unix.EINTR {
			continue
		} else if errno != 0 {
			return
		}
		a := answer{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		unix.Syscall(unix.SYS_IOCTL, listener.Fd(), ioctlSend, uintptr(unsafe.Pointer(&a)))
	}
}

// What a filter notifies of may be what the stage itself does before there is
// anybody to ask: crun up to 1.5 waited for ever at sendmsg, runc 1.2's first
// candidates at fcntl.
func TestSeccompAgent(t *testing.T) {
	for _, call := range []string{"mkdir", "sendmsg", "recvmsg", "accept4", "close", "close_range", "fcntl", "read", "execve"} {
		t.Run(call, func(t *testing.T) {
			b := newBox(t)
			socket, messages := b.agent()
			b.config.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow, ListenerPath: socket, ListenerMetadata: "of " + call,
				Syscalls: []specs.LinuxSyscall{{Names: []string{call}, Action: specs.ActNotify}},
			}
			b.config.Process.Args = []string{"sleep", "1000"}
			bundle, err := b.load()
			b.must(err)
			created, err := b.runtime.Create("box", bundle, CreateOptions{StartLater: true})
			b.must(err)
			defer func() { b.must(created.Destroy()) }()
			c, err := b.runtime.Load("box")
			b.must(err)
			defer c.Close()
			b.must(c.Start())
			if got := b.execs(c, "sh", "-c", "mkdir /dev/made && echo done"); strings.TrimSpace(got) != "done" {
				t.Errorf("exec printed %q", got)
			}
			for _, status := range []specs.ContainerState{specs.StateCreating, specs.StateRunning} {
				var state specs.ContainerProcessState
				b.must(json.Unmarshal(<-messages, &state))
				if state.Metadata != "of "+call || state.State.Status != status || state.State.ID != "box" {
					t.Errorf("the agent was told %+v, want the status %s", state, status)
				}
			}
		})
	}
}
