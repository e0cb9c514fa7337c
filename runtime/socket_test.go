package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// listen makes a socket that takes one descriptor, as an engine would:
// listen SOCKET.
func listen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: listen SOCKET")
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: ts.MkAbs(args[0]), Net: "unix"})
	ts.Check(err)
	ts.Defer(func() { listener.Close() })
	sockets(ts)[args[0]] = listener
}

// socketsKey is the key of a script's sockets among its values.
type socketsKey struct{}

// sockets are the script's sockets, by name.
func sockets(ts *testscript.TestScript) map[string]*net.UnixListener {
	return ts.Value(socketsKey{}).(map[string]*net.UnixListener)
}

// accept gives the descriptor that was sent to a socket.
func accept(ts *testscript.TestScript, args []string) *os.File {
	listener := sockets(ts)[args[0]]
	ts.Check(listener.SetDeadline(time.Now().Add(10 * time.Second)))
	conn, err := listener.AcceptUnix()
	ts.Check(err)
	defer conn.Close()
	buf, oob := make([]byte, 64), make([]byte, unix.CmsgSpace(4))
	_, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
	ts.Check(err)
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	ts.Check(err)
	if len(messages) != 1 {
		ts.Fatalf("got %d control messages, want a descriptor", len(messages))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	ts.Check(err)
	return os.NewFile(uintptr(fds[0]), args[0])
}

// received wants a text from the terminal that was sent to a socket:
// received SOCKET TEXT.
func received(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: received SOCKET TEXT")
	}
	master := accept(ts, args)
	defer master.Close()
	var got bytes.Buffer
	buf := make([]byte, 1024)
	for !bytes.Contains(got.Bytes(), []byte(args[1])) {
		n, err := master.Read(buf)
		if err != nil {
			ts.Fatalf("got %q and %v, want %q", got.String(), err, args[1])
		}
		got.Write(buf[:n])
	}
}

// killed kills the process whose pidfd was sent to a socket: killed SOCKET.
func killed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: killed SOCKET")
	}
	pidfd := accept(ts, args)
	defer pidfd.Close()
	if err := unix.PidfdSendSignal(int(pidfd.Fd()), unix.SIGKILL, nil, 0); err != nil {
		ts.Check(fmt.Errorf("killing through a pidfd: %w", err))
	}
}
