package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"regexp"
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

// managerKey is the key of a script's service manager among its values.
type managerKey struct{}

// manage makes the socket of a service manager: manage SOCKET.
func manage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: manage SOCKET")
	}
	m, err := listenManager(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Defer(func() { m.Close() })
	*ts.Value(managerKey{}).(*manager) = m
}

// told wants messages to the service manager, each a regular expression, and
// then a barrier, which it lifts: told MESSAGE...
func managerTold(ts *testscript.TestScript, neg bool, args []string) {
	m := ts.Value(managerKey{}).(*manager)
	for _, want := range append(args, "BARRIER=1") {
		got, fd, err := m.receive()
		ts.Check(err)
		if fd >= 0 {
			unix.Close(fd)
		}
		if !regexp.MustCompile("^" + want + "\n?$").MatchString(got) {
			ts.Fatalf("the manager was told %q, want %q", got, want)
		}
	}
}

// tellReady says that a container is ready, once it has a socket for that, as
// its program would: ready ID.
func tellReady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready ID")
	}
	var err error
	for range 500 {
		if err = send(notifyPath(ts.Getenv("ROOT"), args[0]), "READY=1"); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Check(err)
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
