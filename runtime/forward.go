package main

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/runtime/internal/sigpipe"
)

// receiver is what davit stands in front of: a container, or one process in it.
type receiver interface {
	Pid() int
	Pidfd() *os.File
	Signal(unix.Signal) error
}

// relay passes the signals that davit gets on to the receiver, also those that
// came while that was made, until it has ended.
func relay(signals *sigpipe.Pipe, to receiver, t *terminal, log *journal) error {
	reap(to.Pid())
	for {
		s, err := signals.Await(to.Pidfd())
		if s == 0 || err != nil {
			return err
		}
		handle(s, to, t, log)
	}
}

// handle does what a signal is for.
func handle(s unix.Signal, to receiver, t *terminal, log *journal) {
	switch s {
	case unix.SIGWINCH:
		t.resize()
	case unix.SIGCHLD:
		reap(to.Pid())
	default:
		log.debugf("passing on %s to process %d", unix.SignalName(s), to.Pid())
		if err := to.Signal(s); err != nil {
			log.debugf("passing on %s to process %d: %v", unix.SignalName(s), to.Pid(), err)
		}
	}
}

// reap waits for the processes that davit adopted as a subreaper and that have
// ended, but never for the container's own, whose status is another's to read.
func reap(container int) {
	for {
		pid := endedChild()
		if pid <= 0 || pid == container {
			return
		}
		unix.Wait4(pid, nil, unix.WNOHANG, nil)
	}
}

// endedChild is the pid of a child that has ended and was not waited for, 0
// when there is none.
func endedChild() int {
	var info struct {
		signo, errno, code int32
		_                  int32
		pid                int32
		_                  [108]byte
	}
	_, _, errno := unix.Syscall6(unix.SYS_WAITID, unix.P_ALL, 0, uintptr(unsafe.Pointer(&info)),
		unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(info.pid)
}
