// Package privatesocket makes the sockets that supervisors serve, which only
// their owner can connect to.
//
// It is not for serving them (package ttrpc), nor for the directory that they
// are in, which is its owner's alone too.
package privatesocket

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Listen makes a socket and listens. One that is there already is removed: the
// caller knows that it is nobody's.
// CVE-2020-15257: another user reaches a supervisor.
func Listen(path string) (*os.File, error) {
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
