package main

import (
	"os"
	"os/signal"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// signalDelay is when davit begins to catch the signals that do not end it.
// Go takes 30 µs for each of the 60, which is half of a short container's
// life; until then they have the effect that they have on any program that
// has just been started.
const signalDelay = 10 * time.Millisecond

// signalRelay catches the signals that davit run gets.
type signalRelay struct {
	signals chan os.Signal
	done    chan struct{}
	once    sync.Once
	relayed sync.WaitGroup
}

// catchSignals begins to catch: at once those that would end davit and leave
// its container behind, the others a little later.
func catchSignals() *signalRelay {
	r := &signalRelay{
		signals: make(chan os.Signal, 128),
		done:    make(chan struct{}),
	}
	go func() {
		signal.Notify(r.signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
		select {
		case <-time.After(signalDelay):
			signal.Notify(r.signals)
			r.signals <- unix.SIGCHLD // for those that ended before
		case <-r.done:
		}
	}()
	return r
}

// receiver is what davit stands in front of: a container, or one process in it.
type receiver interface {
	Pid() int
	Signal(unix.Signal) error
}

// relayTo passes the signals on to the receiver, also those that came while
// it was made.
func (r *signalRelay) relayTo(to receiver, t *terminal, log *journal) {
	r.relayed.Go(func() {
		for {
			select {
			case s := <-r.signals:
				r.handle(s.(unix.Signal), to, t, log)
			case <-r.done:
				return
			}
		}
	})
}

// handle does what a signal is for.
func (r *signalRelay) handle(s unix.Signal, to receiver, t *terminal, log *journal) {
	switch s {
	case unix.SIGWINCH:
		t.resize()
	case unix.SIGCHLD:
		reap(to.Pid())
	case unix.SIGURG, unix.SIGPIPE:
		// Go preempts with the first; the second is about davit's own output.
	default:
		log.debugf("passing on %s to process %d", unix.SignalName(s), to.Pid())
		if err := to.Signal(s); err != nil {
			log.debugf("passing on %s to process %d: %v", unix.SignalName(s), to.Pid(), err)
		}
	}
}

// stop ends the relay: no process is waited for any more when it returns. It
// may be called twice.
func (r *signalRelay) stop() {
	r.once.Do(func() { close(r.done) })
	r.relayed.Wait()
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
