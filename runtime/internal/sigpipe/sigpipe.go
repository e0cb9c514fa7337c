// Package sigpipe turns the signals that this process gets into bytes in a
// pipe, which a thread can wait for together with the end of a process.
//
// os/signal does that too, with a thread and a switch between threads for each
// of sixty signals: one millisecond, a fifth of what executing a process in a
// container costs. Here it is one system call a signal, and no thread.
//
// It is not for signals that Go's runtime needs itself, nor for programs that
// also use os/signal for the same ones.
package sigpipe

import (
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Pipe is where caught signals arrive.
type Pipe struct{ read *os.File }

// writeEnd is the descriptor to which the handler writes.
var writeEnd int32

// handlers gives the addresses of the two functions below.
func handlers() (handler, restorer uintptr)

// handle is what the kernel calls: it writes the signal's number, as a byte,
// to writeEnd. It knows nothing of Go: any thread may execute it anywhere.
func handle()

// restore ends a handler, where the kernel leaves that to the program.
func restore()

// action is the kernel's struct sigaction.
type action struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

// The kernel's SA_ONSTACK, SA_RESTART and SA_RESTORER: as Go's runtime wants it
// of every handler, on the stack that each thread has for signals.
const actionFlags = 0x08000000 | 0x10000000 | 0x04000000

// Catch catches all signals but those that cannot be caught and those that
// Go's runtime needs, for as long as the process lives. Every call gives the
// same pipe.
func Catch() (*Pipe, error) { return catch() }

var catch = sync.OnceValues(func() (*Pipe, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, fmt.Errorf("making a pipe for signals: %w", err)
	}
	writeEnd = int32(ends[1])
	a := action{flags: actionFlags, mask: ^uint64(0)}
	a.handler, a.restorer = handlers()
	for s := unix.Signal(1); s <= last; s++ {
		if leave(s) {
			continue
		}
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&a)), 0, unsafe.Sizeof(a.mask), 0, 0); errno != 0 {
			return nil, fmt.Errorf("catching signal %d: %w", s, errno)
		}
	}
	return &Pipe{os.NewFile(uintptr(ends[0]), "signals")}, nil
})

// last is the greatest number of a signal.
const last = unix.Signal(64)

// leave tells which signals are not caught: those that cannot be, those that
// tell of a fault in this process, those that Go's runtime uses, and those that
// come of using the terminal from the background: caught, they would come again and
// again, as the kernel tries anew what the process wanted of the terminal.
func leave(s unix.Signal) bool {
	switch s {
	case unix.SIGKILL, unix.SIGSTOP,
		unix.SIGILL, unix.SIGTRAP, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV, unix.SIGSYS,
		unix.SIGPIPE, unix.SIGURG, unix.SIGPROF,
		unix.SIGTTIN, unix.SIGTTOU:
		return true
	}
	return false
}

// Await waits for a signal, or until a pidfd tells of its process's end: then
// it gives 0. Signals that came before the end come first.
func (p *Pipe) Await(pidfd *os.File) (unix.Signal, error) {
	set := []unix.PollFd{{Fd: int32(p.read.Fd()), Events: unix.POLLIN}, {Fd: int32(pidfd.Fd()), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(set, -1)
		if err != nil && err != unix.EINTR {
			return 0, fmt.Errorf("waiting for signals: %w", err)
		}
		if err == nil && set[0].Revents == 0 {
			return 0, nil
		}
		var number [1]byte
		if n, _ := unix.Read(int(set[0].Fd), number[:]); n == 1 {
			return unix.Signal(number[0]), nil
		}
	}
}
