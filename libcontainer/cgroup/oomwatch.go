package cgroup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// An OOMWatch hears of the kernel killing processes of a cgroup for want of
// memory, those of the cgroups below included.
type OOMWatch struct {
	dir     string
	counter *os.File // memory.events of v2, memory.oom_control of v1
	event   *os.File // an eventfd, v1 only
	kills   string   // v2: what memory.events said last
	over    bool     // the cgroup is gone
}

// WatchOOM begins to listen. Without a memory controller there is nothing to
// hear: the watch is nil.
func (m *Manager) WatchOOM() (*OOMWatch, error) {
	w := &OOMWatch{dir: m.saved.Paths["memory"]}
	file := "memory.oom_control"
	if m.saved.Unified {
		w.dir, file = m.saved.Paths[""], "memory.events"
	}
	if w.dir == "" {
		return nil, nil
	}
	err := w.open(file)
	if err == nil && !m.saved.Unified {
		err = w.register()
	}
	if err == nil {
		return w, nil
	}
	w.Close()
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	return nil, fmt.Errorf("listening to %s of cgroup %s: %w", file, relative(w.dir), cause(err))
}

func (w *OOMWatch) open(file string) error {
	path := filepath.Join(w.dir, file)
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	w.counter = os.NewFile(uintptr(fd), path)
	text, err := readFrom(fd)
	w.kills = lookup(text, "oom_kill")
	return err
}

// register asks a v1 memory cgroup to write to an eventfd.
// Source: the kernel's admin-guide/cgroup-v1/memory.rst, "OOM Control".
func (w *OOMWatch) register() error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return err
	}
	w.event = os.NewFile(uintptr(fd), "eventfd")
	return writeFile(w.dir+"/cgroup.event_control", strconv.Itoa(fd)+" "+strconv.Itoa(int(w.counter.Fd())))
}

// Poll returns what to wait for with poll(2). After an event, and after the end
// of the container, Happened tells.
func (w *OOMWatch) Poll() unix.PollFd {
	if w.over {
		return unix.PollFd{Fd: -1} // which poll(2) passes over
	}
	if w.event != nil {
		return unix.PollFd{Fd: int32(w.event.Fd()), Events: unix.POLLIN}
	}
	return unix.PollFd{Fd: int32(w.counter.Fd()), Events: unix.POLLPRI}
}

// Happened tells whether memory has run out since it was last asked. A cgroup
// that is gone is no error.
func (w *OOMWatch) Happened() (bool, error) {
	if w.event != nil {
		return w.signalled()
	}
	text, err := readFrom(int(w.counter.Fd()))
	if gone(err) {
		w.over = true
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading memory.events of cgroup %s: %w", relative(w.dir), err)
	}
	before := w.kills
	w.kills = lookup(text, "oom_kill")
	return w.kills != before, nil
}

// signalled empties the eventfd. The kernel writes to it once more when the
// cgroup is removed.
func (w *OOMWatch) signalled() (bool, error) {
	var count [8]byte
	_, err := unix.Read(int(w.event.Fd()), count[:])
	if err == unix.EAGAIN || err == unix.EINTR {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("listening to memory.oom_control of cgroup %s: %w", relative(w.dir), err)
	}
	times := binary.NativeEndian.Uint64(count[:])
	if w.over = unix.Access(w.dir, unix.F_OK) != nil; w.over {
		times--
	}
	return times > 0, nil
}

// Close stops listening.
func (w *OOMWatch) Close() error {
	if w == nil {
		return nil
	}
	var first error
	for _, f := range []*os.File{w.event, w.counter} {
		if f != nil {
			first = errors.Join(first, f.Close())
		}
	}
	return first
}
