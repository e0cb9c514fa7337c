package sys

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// The timer slack of threads: how much later than asked the kernel may wake
// them, in nanoseconds.
const (
	defaultSlack = 50_000
	watcherSlack = 9_999_999 // a value that nobody else sets
)

// SlowWatcher lets the thread that watches Go's scheduler sleep longer: it
// looks at it every 20 µs as long as anything runs, and takes a fifth of a
// processor for that. In a process that lives for milliseconds there is nothing
// to see. It reports whether it could.
//
// Linux 4.6: /proc/PID/timerslack_ns. It needs CAP_SYS_NICE.
func SlowWatcher() bool {
	pid := unix.Getpid()
	tid := secondThread(pid)
	if tid == 0 {
		return false
	}
	fd, err := unix.Open("/proc/"+strconv.Itoa(tid)+"/timerslack_ns", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, strconv.AppendInt(nil, watcherSlack, 10))
	return err == nil
}

// secondThread is the first thread that Go makes, which is the watcher's; 0 if
// its number is far from the process's, or not above it.
func secondThread(pid int) int {
	for tid := pid + 1; tid < pid+64; tid++ {
		if unix.Tgkill(pid, tid, 0) == nil {
			return tid
		}
	}
	return 0
}

// RestoreSlack comes right before a process is started: it takes the slack from
// the thread that the process would inherit it from, if the watcher has made that
// thread. It makes no scheduling point, and does not lock the thread, for which
// Go would start another one.
func RestoreSlack() {
	slack, _, _ := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_GET_TIMERSLACK, 0, 0)
	if slack == watcherSlack {
		unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, defaultSlack, 0)
	}
}
