package sys

import "golang.org/x/sys/unix"

// ReadSmall reads a file of procfs or sysfs into buf by one read(2), which
// gives such a file whole up to the size of a page, and returns what it read.
// It is for files looked at on the way of every start: the three calls that
// os.ReadFile makes beside it cost as much again.
func ReadSmall(path string, buf []byte) ([]byte, error) {
	fd, err := RetryValue(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n, err := RetryValue(func() (int, error) { return unix.Read(fd, buf) })
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}
