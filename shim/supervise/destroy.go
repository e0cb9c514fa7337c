package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/keeper"
)

// Destroy kills a supervisor that does not answer, and its keeper before it, which would
// start another. What they leave of the container is as that of any that were killed.
func Destroy(c *container.Container) error {
	for {
		keepers, others, err := supervisors(c)
		if err != nil || len(keepers)+len(others) == 0 {
			return err
		}
		for _, p := range append(keepers, others...) {
			err = errors.Join(err, killNow(p))
		}
		if err != nil {
			return fmt.Errorf("killing the supervisor of container %s: %w", c.Config.ID, err)
		}
	}
}

// killNow kills a process, and waits for its end.
func killNow(p *os.File) error {
	defer p.Close()
	if err := unix.PidfdSendSignal(int(p.Fd()), unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
		return os.NewSyscallError("pidfd_send_signal", err)
	}
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(p.Fd()), Events: unix.POLLIN}}, -1)
		if err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
	}
}

// supervisors are a container's keeper, and its supervisor, as pidfds: those processes
// that were called so, and have the file open by which it is seen that there is one.
func supervisors(c *container.Container) (keepers, others []*os.File, err error) {
	var lock unix.Stat_t
	if err := unix.Lstat(c.SupervisorFile(), &lock); err != nil {
		return nil, nil, &os.PathError{Op: "lstat", Path: c.SupervisorFile(), Err: err}
	}
	paths, err := filepath.Glob("/proc/[0-9]*")
	called := []byte("\x00" + Command + "\x00" + c.Dir() + "\x00")
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil || pid == os.Getpid() {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue // it has ended
		}
		p := os.NewFile(uintptr(fd), path)
		line, err := os.ReadFile(path + "/cmdline")
		switch {
		case err != nil || !bytes.Contains(line, called) || !holds(path, lock):
			p.Close()
		case bytes.HasPrefix(line, []byte(keeper.Name+"\x00")):
			keepers = append(keepers, p)
		default:
			others = append(others, p)
		}
	}
	return keepers, others, err
}

// holds tells whether a process has a file open.
func holds(path string, file unix.Stat_t) bool {
	fds, err := os.ReadDir(path + "/fd")
	if err != nil {
		return false
	}
	for _, e := range fds {
		var st unix.Stat_t
		if unix.Stat(filepath.Join(path, "fd", e.Name()), &st) == nil && st.Dev == file.Dev && st.Ino == file.Ino {
			return true
		}
	}
	return false
}
