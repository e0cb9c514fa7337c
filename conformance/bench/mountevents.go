package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mountWatch counts the mounts and unmounts in the mount namespace of the
// thread that made it: what wakes everybody on the host who watches the mount
// table, as systemd does, and makes him read all of it.
type mountWatch struct {
	fd     int
	coarse bool // it can only tell whether there was any
}

// The kernel's numbers.
// Linux 6.15: fanotify(7) of mount namespaces.
const (
	fanReportMount   = 0x4000
	fanMarkNamespace = 0x110
	fanMountAttach   = 0x01000000
	fanMountDetach   = 0x02000000
)

// watchMounts begins to count. A kernel that does not report each mount tells
// whether there was one.
func watchMounts() (*mountWatch, error) {
	w, err := watchEachMount()
	if errors.Is(err, unix.EINVAL) {
		return watchAnyMount()
	}
	return w, err
}

// watchAnyMount uses what has always been there.
func watchAnyMount() (*mountWatch, error) {
	fd, err := unix.Open("/proc/thread-self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("watching the mount table: %w", err)
	}
	return &mountWatch{fd, true}, nil
}

func watchEachMount() (*mountWatch, error) {
	ns, err := os.Open("/proc/thread-self/ns/mnt")
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|fanReportMount|unix.FAN_NONBLOCK|unix.FAN_CLOEXEC, 0)
	if err == nil {
		if err = unix.FanotifyMark(fd, unix.FAN_MARK_ADD|fanMarkNamespace, fanMountAttach|fanMountDetach, int(ns.Fd()), ""); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("watching the mount table: %w", err)
	}
	return &mountWatch{fd, false}, nil
}

// close ends the watch.
func (w *mountWatch) close() { unix.Close(w.fd) }

// count is how many events there were since the last time.
func (w *mountWatch) count() (n int, err error) {
	if w.coarse {
		set := []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLPRI}}
		return unix.Poll(set, 0)
	}
	buf := make([]byte, 64<<10)
	for {
		size, err := unix.Read(w.fd, buf)
		if err == unix.EAGAIN {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("reading mount events: %w", err)
		}
		for event := buf[:size]; len(event) >= 4; n++ {
			event = event[min(len(event), int(binary.NativeEndian.Uint32(event))):] // its length comes first
		}
	}
}
