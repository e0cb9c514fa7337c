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
type mountWatch struct{ fd int }

// The kernel's numbers.
// Linux 6.15: fanotify(7) of mount namespaces.
const (
	fanReportMount   = 0x4000
	fanMarkNamespace = 0x110
	fanMountAttach   = 0x01000000
	fanMountDetach   = 0x02000000
)

// watchMounts begins to count.
func watchMounts() (*mountWatch, error) {
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
	if errors.Is(err, unix.EINVAL) {
		return nil, errors.New("this kernel does not report mounts by fanotify(7) [needs Linux 6.15]")
	}
	if err != nil {
		return nil, fmt.Errorf("watching the mount table: %w", err)
	}
	return &mountWatch{fd}, nil
}

// close ends the watch.
func (w *mountWatch) close() { unix.Close(w.fd) }

// count is how many events there were since the last time.
func (w *mountWatch) count() (n int, err error) {
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
