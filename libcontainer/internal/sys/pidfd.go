package sys

import (
	"os"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Exit is how a process ended: by itself with a code, or by a signal.
type Exit struct {
	// Code is the exit code, 0 to 255; 0 when a signal ended the process.
	Code int
	// Signal is the signal that ended the process, 0 when it exited.
	Signal unix.Signal
	// Core tells that the process left a core dump.
	Core bool
}

// Status is the number a shell shows: the exit code, or 128 + signal.
func (e Exit) Status() int {
	if e.Signal != 0 {
		return 128 + int(e.Signal)
	}
	return e.Code
}

// String says it in the words of Go's os.ProcessState: "exit status 1",
// "signal: killed".
func (e Exit) String() string {
	if e.Signal == 0 {
		return "exit status " + strconv.Itoa(e.Code)
	}
	text := "signal: " + e.Signal.String()
	if e.Core {
		text += " (core dumped)"
	}
	return text
}

// PidfdOpen returns a descriptor of the process pid. ESRCH: there is none.
//
// Linux 5.3: pidfd_open(2).
func PidfdOpen(pid int) (*os.File, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, os.NewSyscallError("pidfd_open", err)
	}
	return os.NewFile(uintptr(fd), "pidfd:"+strconv.Itoa(pid)), nil
}

// PidfdOpenAt returns a descriptor of the process pid that started at start
// (see [Stat]). ESRCH: that process is gone, whoever has its number now; a
// zombie is gone.
func PidfdOpenAt(pid int, start uint64) (*os.File, error) {
	f, err := PidfdOpen(pid)
	if err != nil {
		return nil, err
	}
	// In this order: if the process that has the number now started at start,
	// it had the number when the descriptor was opened.
	st, err := ProcStat(pid)
	if err == nil && (st.StartTime != start || st.Gone()) {
		err = unix.ESRCH
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// PidfdWait waits until the child behind pidfd has ended, reaps it, and says
// how it ended. ECHILD: it is not a child of this process, or was reaped.
//
// Linux 5.4: waitid(2) with P_PIDFD.
func PidfdWait(pidfd *os.File) (Exit, error) {
	var info siginfoChild
	err := Retry(func() error {
		return unix.Waitid(unix.P_PIDFD, int(pidfd.Fd()), (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED, nil)
	})
	runtime.KeepAlive(pidfd)
	if err != nil {
		return Exit{}, os.NewSyscallError("waitid", err)
	}
	return info.exit(), nil
}

// PidfdTake returns a copy of a descriptor of the process behind pidfd, by its
// number there. EPERM: this process may not trace that one.
//
// Linux 5.6: pidfd_getfd(2).
func PidfdTake(pidfd *os.File, number int) (*os.File, error) {
	fd, err := unix.PidfdGetfd(int(pidfd.Fd()), number, 0)
	runtime.KeepAlive(pidfd)
	if err != nil {
		return nil, os.NewSyscallError("pidfd_getfd", err)
	}
	return os.NewFile(uintptr(fd), "taken"), nil
}

// PidfdPoll waits until the process behind pidfd, a child or not, has ended,
// but no longer than timeout; a negative timeout is no limit.
func PidfdPoll(pidfd *os.File, timeout time.Duration) (exited bool, err error) {
	deadline := time.Now().Add(timeout)
	fds := []unix.PollFd{{Fd: int32(pidfd.Fd()), Events: unix.POLLIN}}
	n, err := RetryValue(func() (int, error) {
		return unix.Poll(fds, pollMillis(timeout, deadline))
	})
	runtime.KeepAlive(pidfd)
	return n > 0, os.NewSyscallError("poll", err)
}

// PidfdSignal sends sig to the process behind pidfd. ESRCH: it has ended and
// was reaped.
func PidfdSignal(pidfd *os.File, sig unix.Signal) error {
	err := unix.PidfdSendSignal(int(pidfd.Fd()), sig, nil, 0)
	runtime.KeepAlive(pidfd)
	return os.NewSyscallError("pidfd_send_signal", err)
}

// pollMillis is what is left until deadline as poll(2) counts it, rounded up
// so that the last round does not spin; -1 when there is no limit.
func pollMillis(timeout time.Duration, deadline time.Time) int {
	if timeout < 0 {
		return -1
	}
	left := time.Until(deadline)
	if left <= 0 {
		return 0
	}
	return int((left + time.Millisecond - 1) / time.Millisecond)
}

// siginfoChild is siginfo_t as waitid(2) fills it, on 64-bit machines.
type siginfoChild struct {
	Signo, Errno, Code int32
	_                  int32
	Pid                int32
	UID                uint32
	Status             int32
	_                  [100]byte
}

// The values of si_code for SIGCHLD, from asm-generic/siginfo.h.
const (
	cldExited = 1
	cldKilled = 2
	cldDumped = 3
)

func (i *siginfoChild) exit() Exit {
	if i.Code == cldExited {
		return Exit{Code: int(i.Status)}
	}
	return Exit{Signal: unix.Signal(i.Status), Core: i.Code == cldDumped}
}
