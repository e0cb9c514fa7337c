package cgroup

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// maxWatched bounds the number of processes that are waited for at a time.
const maxWatched = 256

// waitFor waits until cgroup.events of the v2 cgroup at path shows the value,
// or the cgroup is gone.
func waitFor(path, key, want string, deadline time.Time) error {
	fd, err := unix.Open(path+"/cgroup.events", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		if gone(err) {
			return nil
		}
		return err
	}
	defer unix.Close(fd)
	for {
		text, err := readFrom(fd)
		if gone(err) || err == nil && lookup(text, key) == want {
			return nil
		}
		if err != nil {
			return err
		}
		if err := poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}, deadline); err != nil {
			return err
		}
	}
}

// poll waits for one of the events; at the deadline the error is errBusy.
func poll(set []unix.PollFd, deadline time.Time) error {
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return errBusy
		}
		n, err := unix.Poll(set, int(left.Milliseconds())+1)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return err
		case n > 0:
			return nil
		}
	}
}

// lookup returns the value of key in a file of lines "key value".
func lookup(text, key string) string {
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == key {
			return value
		}
	}
	return ""
}

// drain waits for the processes of a cgroup to end. They have been killed
// already, or nobody will.
type drain struct {
	deadline time.Time
	ended    map[int]bool // whose end was seen; the cgroup may still list them
}

func newDrain(limit time.Duration) *drain {
	return &drain{deadline: time.Now().Add(limit), ended: map[int]bool{}}
}

// wait returns after an event that may have emptied the cgroup at path: the
// end of a process, or on v2 a change of cgroup.events. The kernel sends the
// latter at most every 10 ms, so that the processes are the faster event.
func (d *drain) wait(path string) error {
	pids, err := pidsBelow(path)
	if err != nil {
		return err
	}
	set := make([]unix.PollFd, 0, min(len(pids), maxWatched)+1)
	defer func() {
		for _, p := range set {
			_ = unix.Close(int(p.Fd))
		}
	}()
	events, err := unix.Open(path+"/cgroup.events", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		set = append(set, unix.PollFd{Fd: int32(events), Events: unix.POLLPRI})
		if text, err := readFrom(events); err != nil || lookup(text, "populated") == "0" {
			return nil
		}
	}
	watched := d.watch(&set, pids)
	if len(set) == 0 {
		return d.pause()
	}
	if err := poll(set, d.deadline); err != nil {
		return err
	}
	d.note(set[len(set)-len(watched):], watched)
	return nil
}

// waitFor returns when each of the processes has ended or left the cgroup at
// path. pids is sorted.
func (d *drain) waitFor(path string, pids []int) error {
	for {
		now, err := pidsBelow(path)
		if err != nil {
			return err
		}
		now = slices.DeleteFunc(now, func(pid int) bool {
			_, asked := slices.BinarySearch(pids, pid)
			return !asked
		})
		if d.allEnded(now) {
			return nil
		}
		if err := d.wait(path); err != nil {
			return err
		}
	}
}

// watch adds a pidfd for each process whose end was not seen, and returns the
// processes in the same order.
func (d *drain) watch(set *[]unix.PollFd, pids []int) []int {
	var watched []int
	for _, pid := range pids {
		if d.ended[pid] || len(watched) == maxWatched {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			d.ended[pid] = errors.Is(err, unix.ESRCH)
			continue
		}
		*set = append(*set, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		watched = append(watched, pid)
	}
	return watched
}

// note remembers the processes that have ended.
func (d *drain) note(set []unix.PollFd, watched []int) {
	for i, pid := range watched {
		if set[i].Revents != 0 {
			d.ended[pid] = true
		}
	}
}

// pause is for a v1 cgroup that is busy though every process in it has ended:
// v1 has no event for the moment after, when the kernel lets go of the cgroup.
func (d *drain) pause() error {
	if time.Now().After(d.deadline) {
		return errBusy
	}
	time.Sleep(100 * time.Microsecond)
	return nil
}

// holders describes the processes that keep the cgroup at path busy.
func holders(path string) string {
	pids, _ := pidsBelow(path)
	if len(pids) == 0 {
		return "no process is left in it"
	}
	return fmt.Sprintf("%d process(es) still run in it, one is %d", len(pids), pids[0])
}
