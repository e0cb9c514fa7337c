package main

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/internal/offspring"
)

// never is a stop at which no command is killed.
const never = 0

// tracer follows a command with all that it starts, from one system call to
// the next, and kills the command at one of them. The calls of its threads and
// of its children are counted as one sequence, in the order in which they
// happen: what the children are doing at that moment matters as much.
//
// It has to be used on one locked thread, as ptrace(2) demands.
type tracer struct {
	command int // its pid
	at      int // the call at which it is killed, from 1 on
	calls   int // so far
	killed  point
	ended   bool
	status  syscall.WaitStatus
	tracees map[int]*tracee // by thread
	seen    map[int]bool    // all that ever were
}

// tracee is a thread that is traced.
type tracee struct {
	begun bool // it has had the stop with which it begins
	asked bool // to stop, to be released
}

// point is where a command was killed.
type point struct {
	call   int    // how many there had been, this one included; 0: it ended before
	number uint64 // of the system call that was not executed
	by     string // the name of the process that made it
}

// String names the point in a message.
func (p point) String() string {
	return fmt.Sprintf("at call %d (number %d, of %s)", p.call, p.number, p.by)
}

// options of the tracer: threads, children and their programs are followed;
// nothing that is traced outlives this program.
const traceOptions = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK |
	unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_EXITKILL

// trace follows a command that was started with SysProcAttr.Ptrace until it
// has ended, and everything that it left is released.
func trace(pid, at int) (*tracer, error) {
	t := &tracer{command: pid, at: at, tracees: map[int]*tracee{pid: {begun: true}}, seen: map[int]bool{pid: true}}
	var status syscall.WaitStatus
	if _, err := offspring.Wait(pid, &status); err != nil || !status.Stopped() {
		return t, fmt.Errorf("tracing: the command did not stop when it was executed: %w", err)
	}
	if err := syscall.PtraceSetOptions(pid, traceOptions); err != nil {
		return t, fmt.Errorf("tracing: %w", err)
	}
	if err := syscall.PtraceSyscall(pid, 0); err != nil {
		return t, fmt.Errorf("tracing: %w", err)
	}
	late := time.AfterFunc(patience, func() { _ = unix.Kill(pid, unix.SIGKILL) })
	for !t.ended || len(t.tracees) > 0 {
		if err := t.step(); err != nil {
			return t, err
		}
	}
	if !late.Stop() {
		return t, fmt.Errorf("it was still running after %v", patience)
	}
	return t, nil
}

// step waits for one thread to stop or to end, and lets it go on.
func (t *tracer) step() error {
	var status syscall.WaitStatus
	tid, err := offspring.Wait(-1, &status)
	if err != nil {
		return fmt.Errorf("tracing: %w", err)
	}
	if status.Stopped() {
		t.stopped(tid, status)
		return nil
	}
	delete(t.tracees, tid)
	if tid == t.command {
		t.ended, t.status = true, status
		t.askRest()
	}
	return nil
}

// stopped looks at a thread that has stopped, and lets it go on: under our
// eyes, or for good.
func (t *tracer) stopped(tid int, status syscall.WaitStatus) {
	one := t.meet(tid)
	signal := status.StopSignal()
	switch {
	case signal == syscall.SIGTRAP|0x80:
		t.count(tid)
		signal = 0
	case status.TrapCause() > 0:
		t.meetChild(tid, status.TrapCause())
		signal = 0
	case signal == syscall.SIGSTOP && (one.asked || !one.begun):
		one.begun = true
		if t.over() {
			t.release(tid)
			return
		}
		signal = 0
	}
	if t.over() {
		t.ask(tid)
	}
	_ = syscall.PtraceSyscall(tid, int(signal)) // where it has been killed, it is gone
}

// meet is what is known of a thread.
func (t *tracer) meet(tid int) *tracee {
	one := t.tracees[tid]
	if one == nil {
		one = &tracee{}
		t.tracees[tid], t.seen[tid] = one, true
	}
	return one
}

// meetChild notes a thread or process that a thread has just created, and that
// may not have stopped yet.
func (t *tracer) meetChild(tid, event int) {
	switch event {
	case unix.PTRACE_EVENT_CLONE, unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK:
		if child, err := syscall.PtraceGetEventMsg(tid); err == nil && !t.seen[int(child)] {
			t.meet(int(child))
		}
	}
}

// release lets a stopped thread run untraced.
func (t *tracer) release(tid int) {
	delete(t.tracees, tid)
	_ = syscall.PtraceDetach(tid)
}

// over tells whether nothing more is counted.
func (t *tracer) over() bool { return t.ended || t.killed.call > 0 }

// count counts a call that begins, and kills the command where its time has come.
func (t *tracer) count(tid int) {
	number, begins := callAt(tid)
	if !begins || t.over() {
		return
	}
	t.calls++
	if t.calls != t.at {
		return
	}
	t.killed = point{t.calls, number, offspring.Name(tid)}
	_ = unix.Kill(t.command, unix.SIGKILL)
	t.askRest()
}

// askRest asks all that are left to stop, to be released.
func (t *tracer) askRest() {
	for tid := range t.tracees {
		t.ask(tid)
	}
}

// ask makes a thread stop, wherever it is: one that is traced can be released
// only then. The signal does not reach it.
func (t *tracer) ask(tid int) {
	if one := t.tracees[tid]; one.begun && !one.asked {
		one.asked = true
		_ = unix.Tgkill(threadGroup(tid), tid, unix.SIGSTOP)
	}
}

// callInfo is the kernel's struct ptrace_syscall_info, as far as it is needed.
type callInfo struct {
	op     uint8
	_      [3]byte
	_      uint32
	_      [2]uint64
	number uint64
	_      [6]uint64
}

// callAt tells whether a stopped thread is about to execute a system call, and
// which.
// Linux 5.3: PTRACE_GET_SYSCALL_INFO.
func callAt(tid int) (number uint64, begins bool) {
	var info callInfo
	n, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	return info.number, errno == 0 && n > 0 && info.op == unix.PTRACE_SYSCALL_INFO_ENTRY
}
