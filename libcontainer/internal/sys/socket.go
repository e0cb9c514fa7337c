package sys

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Socketpair returns two connected unix sockets of type typ, SOCK_SEQPACKET or
// SOCK_STREAM, both close-on-exec.
func Socketpair(typ int) (a, b *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "socketpair"), os.NewFile(uintptr(fds[1]), "socketpair"), nil
}

// Listen makes the socket name in dir, mode 0600, and listens on it. The
// directory's own path may have any length. EADDRINUSE: name exists.
func Listen(dir *os.File, name string, typ int) (*os.File, error) {
	sock, err := newSocket(typ, name)
	if err != nil {
		return nil, err
	}
	fd := int(sock.Fd())
	// bind(2) takes the mode from the socket: there is no instant at which
	// another user could connect.
	if err := unix.Fchmod(fd, 0o600); err != nil {
		sock.Close()
		return nil, &os.PathError{Op: "fchmod", Path: name, Err: err}
	}
	if err := unix.Bind(fd, addressIn(dir, name)); err != nil {
		sock.Close()
		return nil, &os.PathError{Op: "bind", Path: name, Err: err}
	}
	runtime.KeepAlive(dir)
	if err := unix.Listen(fd, 1); err != nil {
		sock.Close()
		return nil, &os.PathError{Op: "listen", Path: name, Err: err}
	}
	return sock, nil
}

// Dial connects to the socket name in dir. ECONNREFUSED: nobody listens any
// more; ENOENT: there is no such socket.
func Dial(dir *os.File, name string, typ int) (*os.File, error) {
	sock, err := newSocket(typ, name)
	if err != nil {
		return nil, err
	}
	err = Retry(func() error { return unix.Connect(int(sock.Fd()), addressIn(dir, name)) })
	runtime.KeepAlive(dir)
	if err != nil {
		sock.Close()
		return nil, &os.PathError{Op: "connect", Path: name, Err: err}
	}
	return sock, nil
}

// DialPath connects to the socket at path, which may have any length.
func DialPath(path string, typ int) (*os.File, error) {
	fd, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "connect", Path: path, Err: err}
	}
	dir := os.NewFile(uintptr(fd), filepath.Dir(path))
	defer dir.Close()
	return Dial(dir, filepath.Base(path), typ)
}

func newSocket(typ int, name string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// addressIn names a socket through a descriptor of its directory, because
// sun_path ends at 108 bytes and a path does not.
func addressIn(dir *os.File, name string) *unix.SockaddrUnix {
	return &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + name}
}
