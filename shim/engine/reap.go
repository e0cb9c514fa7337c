package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/keeper"
)

// siginfo is siginfo_t as waitid(2) fills it, on 64-bit machines.
type siginfo struct {
	Signo, Errno, Code int32
	_                  int32
	Pid                int32
	UID                uint32
	Status             int32
	_                  [100]byte
}

// exitedCode is the si_code of a process that ended by itself.
const exitedCode = 1

// look tells how the child behind a pidfd has ended, and leaves it to be
// reaped: until its exit is written down, it must not be lost with this
// process. ECHILD: it is another's.
// Linux 5.4: waitid(2) with P_PIDFD.
func look(pidfd *os.File) (Exit, error) { return wait(pidfd, unix.WNOWAIT) }

// reap reaps it.
func reap(pidfd *os.File) { wait(pidfd, 0) }

func wait(pidfd *os.File, flags int) (Exit, error) {
	var info siginfo
	for {
		err := unix.Waitid(unix.P_PIDFD, int(pidfd.Fd()), (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOHANG|flags, nil)
		if err == unix.EINTR {
			continue
		}
		if err == nil && info.Pid == 0 {
			err = unix.EAGAIN
		}
		if err != nil {
			return Exit{}, err
		}
		break
	}
	status := uint32(info.Status)
	if info.Code != exitedCode {
		status += 128
	}
	return Exit{status, time.Now()}, nil
}

// keeperPatience is how long the keeper's word is awaited, of a process that
// somebody has reaped already.
const keeperPatience = time.Second

// unknownStatus stands for an exit that nobody knows.
const unknownStatus = 255

// askKeeper is after the end of a process that is nobody's child here.
func (p *process) askKeeper() {
	if x, ok := p.engine.early[p.pid]; ok && x.At.After(p.since) {
		delete(p.engine.early, p.pid)
		p.end(Exit{x.Status, x.At})
		return
	}
	p.engine.strange[p.pid] = p
	p.awaitKeeper()
}

// awaitKeeper gives the keeper time: for as long as nobody has reaped the
// process, on a machine that has other work, and for a while after that.
func (p *process) awaitKeeper() {
	unreaped := p.unreaped()
	p.engine.Loop.After(keeperPatience, func() {
		switch {
		case p.ended || p.engine.strange[p.pid] != p:
		case unreaped:
			p.awaitKeeper()
		default:
			delete(p.engine.strange, p.pid)
			p.endUnheard()
		}
	})
}

// unreaped tells whether there is still what is left of the process.
func (p *process) unreaped() bool {
	started, err := startTime(p.pid)
	return err == nil && started == p.startedAt
}

// endUnheard is after the end of a process of which the keeper has said
// nothing: it may have written it down.
func (p *process) endUnheard() {
	if x, ok := p.engine.written()[p.pid]; ok && x.At.After(p.since) {
		p.end(Exit{x.Status, x.At})
		return
	}
	p.engine.warn(fmt.Sprintf("nobody knows how process %d ended: it is reported with status %d", p.pid, unknownStatus))
	p.end(Exit{unknownStatus, time.Now()})
}

// orphanEnded hears the keeper.
func (e *Engine) orphanEnded(x keeper.Exit) {
	if p := e.strange[x.Pid]; p != nil {
		delete(e.strange, x.Pid)
		p.end(Exit{x.Status, x.At})
		return
	}
	if len(e.early) >= maxEarly {
		clear(e.early)
	}
	e.early[x.Pid] = x
}

// maxEarly is how many exits are remembered of processes that nobody has asked
// about. What is forgotten can be read in the keeper's file.
const maxEarly = 256

// written are the exits that the keeper has written down, by pid.
func (e *Engine) written() map[int]keeper.Exit {
	byPid := map[int]keeper.Exit{}
	if e.Keeper == nil || e.Keeper.Kept[keeper.ExitsKey] == nil {
		return byPid
	}
	list, err := keeper.ReadExits(e.Keeper.Kept[keeper.ExitsKey])
	if err != nil {
		e.warn(err.Error())
	}
	for _, x := range list {
		byPid[x.Pid] = x
	}
	return byPid
}

// startTime is when a process started, in ticks since boot. With the pid it is
// an identity. ESRCH: it has ended.
func startTime(pid int) (uint64, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, unix.ESRCH
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const field = 22 - 3 // the name's is the second, and what follows it begins with the third
	if len(fields) <= field {
		return 0, errors.New("reading /proc/PID/stat: unexpected format")
	}
	return strconv.ParseUint(string(fields[field]), 10, 64)
}
