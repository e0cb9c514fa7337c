package sys

import (
	"errors"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// MaxFiles is how many descriptors one message can carry (SCM_MAX_FD).
const MaxFiles = 253

var (
	// ErrMessageTooLong says that a message was longer than the buffer for it.
	ErrMessageTooLong = errors.New("message longer than its buffer")
	// ErrTooManyFiles says that a message's descriptors did not all arrive.
	ErrTooManyFiles = errors.New("descriptors of the message are lost")
)

// Send sends one message with copies of the descriptors fds. EPIPE: the other
// end is closed (no SIGPIPE is raised).
func Send(sock *os.File, msg []byte, fds ...int) error {
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	err := Retry(func() error {
		return unix.Sendmsg(int(sock.Fd()), msg, rights, nil, unix.MSG_NOSIGNAL)
	})
	runtime.KeepAlive(sock)
	return os.NewSyscallError("sendmsg", err)
}

// Recv receives one message into buf: its length, and the descriptors that
// came with it, close-on-exec. io.EOF: the other end is closed, and nothing is
// left. A message that did not arrive whole is an error, and its descriptors
// are closed.
func Recv(sock *os.File, buf []byte) (n int, files []*os.File, err error) {
	oob := make([]byte, unix.CmsgSpace(MaxFiles*4))
	var oobn, flags int
	n, err = RetryValue(func() (n int, err error) {
		n, oobn, flags, _, err = unix.Recvmsg(int(sock.Fd()), buf, oob, unix.MSG_CMSG_CLOEXEC)
		return n, err
	})
	runtime.KeepAlive(sock)
	if err != nil {
		return 0, nil, os.NewSyscallError("recvmsg", err)
	}
	files, err = receivedFiles(oob[:oobn])
	if err == nil {
		err = checkWhole(n, oobn, flags)
	}
	if err != nil {
		CloseAll(files)
		return 0, nil, err
	}
	return n, files, nil
}

// CloseAll closes every file that is not nil; a failure to close is of no use
// to anyone.
func CloseAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

func checkWhole(n, oobn, flags int) error {
	switch {
	case flags&unix.MSG_CTRUNC != 0:
		return ErrTooManyFiles
	case flags&unix.MSG_TRUNC != 0:
		return ErrMessageTooLong
	case n == 0 && oobn == 0:
		return io.EOF
	}
	return nil
}

// receivedFiles takes ownership of every descriptor in a message's control
// data, also where it returns an error.
func receivedFiles(oob []byte) ([]*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, os.NewSyscallError("recvmsg", err)
	}
	var files []*os.File
	for i := range msgs {
		if msgs[i].Header.Level != unix.SOL_SOCKET || msgs[i].Header.Type != unix.SCM_RIGHTS {
			continue
		}
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			return files, os.NewSyscallError("recvmsg", err)
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}
