package supervise

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/container"
)

// The files of a container's run directory.
const (
	socketName = "socket"
	exitsName  = "exits"
)

// listen makes the supervisor's socket, for its owner alone. One that is there is
// nobody's: the caller has seen that there is no supervisor.
func listen(c *container.Container) (*os.File, error) {
	if err := os.MkdirAll(c.Store().Run(), 0o711); err != nil {
		return nil, err
	}
	if err := os.Mkdir(c.Run(), 0o700); err != nil && !os.IsExist(err) {
		return nil, err
	}
	path := filepath.Join(c.Run(), socketName)
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), path)
	// The mode of what bind makes is the socket's own.
	err = unix.Fchmod(fd, 0o600)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: path})
	}
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err == nil {
		err = unix.Listen(fd, 128)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	return f, nil
}
