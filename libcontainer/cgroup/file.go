package cgroup

import (
	"os"

	"golang.org/x/sys/unix"
)

// readFile returns the content of a small kernel file by one open, read and
// close. (os.ReadFile also asks for the size and registers the descriptor with
// the runtime's poller, which files of a cgroup accept.)
func readFile(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	text, err := readFrom(fd)
	if err != nil {
		return "", &os.PathError{Op: "read", Path: path, Err: err}
	}
	return text, nil
}

// readFrom returns the content of an open kernel file from its beginning. A
// short read is no end: sequence files return whole records.
func readFrom(fd int) (string, error) {
	var buffer [4096]byte
	var text []byte
	for {
		n, err := unix.Pread(fd, buffer[:], int64(len(text)))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return "", err
		case n == 0:
			return string(text), nil
		default:
			text = append(text, buffer[:n]...)
		}
	}
}

// writeFile writes value into an existing kernel file.
func writeFile(path, value string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte(value)); err != nil {
		return &os.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}
