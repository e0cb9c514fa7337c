package rootless

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// passed are the signals that are passed on. Those of job control, of children
// and of the program's own faults are not for passing.
var passed = []os.Signal{
	unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2,
	unix.SIGWINCH, unix.SIGALRM, unix.SIGVTALRM, unix.SIGIO, unix.SIGPWR,
}

// signals are those that came since catch.
type signals struct {
	came chan os.Signal
	done chan struct{}
}

// catch begins to catch signals, so that none is lost before there is somebody
// to pass them to. What the caller has as ignored (nohup) stays so.
func catch() *signals {
	s := &signals{came: make(chan os.Signal, 64), done: make(chan struct{})}
	for _, sig := range passed {
		if !signal.Ignored(sig) {
			signal.Notify(s.came, sig)
		}
	}
	return s
}

// passTo passes the signals on, until stop.
func (s *signals) passTo(p *os.Process) {
	go func() {
		for {
			select {
			case sig := <-s.came:
				if !fromTerminal(sig) {
					_ = p.Signal(sig) // it may have ended
				}
			case <-s.done:
				return
			}
		}
	}()
}

// stop ends the catching and passing.
func (s *signals) stop() {
	signal.Stop(s.came)
	close(s.done)
}

// fromTerminal says whether a signal reached the other program by itself: what
// is typed on a terminal goes to all processes in its foreground. Twice would be
// once too often, for a second Ctrl-C often means more than the first.
func fromTerminal(sig os.Signal) bool {
	if sig != unix.SIGINT && sig != unix.SIGQUIT && sig != unix.SIGWINCH {
		return false
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer tty.Close()
	foreground, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && foreground == unix.Getpgrp()
}
