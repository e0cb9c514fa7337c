package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// barrierTimeout is how long a service manager may take to read what it was
// told. One that does not know the barrier never answers.
const barrierTimeout = 30 * time.Second

// notifyPath is where davit listens for the container's READY=1, on the host.
// libcontainer mounts the directory into the container as /run/notify, read
// only, and sets NOTIFY_SOCKET to the socket in it.
func notifyPath(root, id string) string {
	return filepath.Join(root, id, "notify", "notify.sock")
}

// notifyProxy stands between the container's program and the service manager
// that started davit: it passes on that the program is ready, and which
// process is to be watched, as their pids are not the same on both sides.
// A nil proxy has nothing to do.
// Source: sd_notify(3), sd_notify_barrier(3).
type notifyProxy struct {
	manager string // the service manager's socket
	socket  *net.UnixConn
}

// listenNotify makes the container's socket at path. Without a manager there
// is no proxy.
func listenNotify(manager, path string) (*notifyProxy, error) {
	if manager == "" {
		return nil, nil
	}
	socket, err := listenDatagram(path)
	if err != nil {
		return nil, fmt.Errorf("making the notify socket %s: %w", path, err)
	}
	return &notifyProxy{manager, socket}, nil
}

// listenDatagram makes a datagram socket that any user of the container can
// write to. It goes through a descriptor of the directory, as a socket's
// address has room for 107 bytes.
func listenDatagram(path string) (*net.UnixConn, error) {
	dir, err := os.OpenFile(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	short := fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: short, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o777); err != nil {
		socket.Close()
		return nil, err
	}
	return socket, nil
}

// close ends the proxy; the socket goes with the container's directory.
func (n *notifyProxy) close() {
	if n != nil {
		n.socket.Close()
	}
}

// relay waits until the program says that it is ready and tells the manager,
// naming mainPID as the process to watch. It ends without a word when the
// process watched ends first.
func (n *notifyProxy) relay(watched, mainPID int) error {
	if n == nil {
		return nil
	}
	pidfd, err := unix.PidfdOpen(watched, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil // it has ended already
	}
	gone := os.NewFile(uintptr(pidfd), "pidfd")
	defer gone.Close()
	go n.giveUp(gone)
	ready, err := n.awaitReady()
	if err != nil {
		return nil
	}
	return n.tell(ready, mainPID)
}

// giveUp ends the wait for the program when it is gone.
func (n *notifyProxy) giveUp(pidfd *os.File) {
	raw, err := pidfd.SyscallConn()
	if err != nil {
		return
	}
	err = raw.Read(func(fd uintptr) bool {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		ready, err := unix.Poll(polled, 0)
		return err != nil || ready > 0
	})
	if err == nil {
		n.socket.SetReadDeadline(time.Now())
	}
}

// awaitReady reads messages until one has the line READY=, and gives that line.
func (n *notifyProxy) awaitReady() ([]byte, error) {
	buf := make([]byte, 4096)
	for {
		size, err := n.socket.Read(buf)
		if err != nil {
			return nil, err
		}
		for line := range bytes.SplitSeq(buf[:size], []byte{'\n'}) {
			if bytes.HasPrefix(line, []byte("READY=")) {
				return line, nil
			}
		}
	}
}

// tell passes the line on, with the process to watch, and waits until the
// manager has read both: it would not believe a sender that is gone.
func (n *notifyProxy) tell(ready []byte, mainPID int) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.manager, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notifying the service manager: %w", err)
	}
	defer conn.Close()
	for _, message := range []string{string(ready) + "\n", "MAINPID=" + strconv.Itoa(mainPID) + "\n"} {
		if _, err := conn.Write([]byte(message)); err != nil {
			return fmt.Errorf("notifying the service manager: %w", err)
		}
	}
	return barrier(conn)
}

// barrier sends one end of a pipe to the manager and waits until it is closed.
func barrier(conn *net.UnixConn) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	err = sendFile(conn, "BARRIER=1", w)
	w.Close()
	if err != nil {
		return fmt.Errorf("sending a barrier to the service manager: %w", err)
	}
	if err := r.SetReadDeadline(time.Now().Add(barrierTimeout)); err != nil {
		return err
	}
	switch _, err := r.Read(make([]byte, 1)); {
	case err == io.EOF, errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case err != nil:
		return fmt.Errorf("waiting for the service manager: %w", err)
	}
	return errors.New("waiting for the service manager: it wrote to the barrier")
}

// sendFile sends a message with a descriptor. It does so by hand, as package
// net cannot do it on a connected datagram socket.
func sendFile(conn *net.UnixConn, message string, f *os.File) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	rights := unix.UnixRights(int(f.Fd()))
	var sent error
	err = raw.Write(func(fd uintptr) bool {
		sent = unix.Sendmsg(int(fd), []byte(message), rights, nil, 0)
		return sent != unix.EAGAIN
	})
	return errors.Join(err, sent)
}
