// Package stage holds the program that makes a container from inside, and
// starts it: a small static C program, run from a sealed memfd, so that
// nothing of the host's can be reached or changed through it.
//
// It is not for deciding what the program does (package plan) nor for talking
// to it (package libcontainer).
//
// CVE-2019-5736: a container overwrites the runtime through /proc/self/exe.
package stage

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

//go:generate go run ./internal/header src/ops.h
//go:generate ../../contrib/static/build stage amd64 src
//go:generate ../../contrib/static/build stage arm64 src

// Name is the program's name in /proc/PID/comm and of its memfd.
const Name = "davit-stage"

// Launch is what a stage is started with.
type Launch struct {
	Stdio    [3]*os.File
	Preserve []*os.File // kept by the container's program, from descriptor 3 on
	Plan     []byte     // in wire form
	Files    []*os.File // the plan's files, by index
	Clone    uintptr    // CLONE_NEW* flags
	Cgroup   *os.File   // the directory of a cgroup2 to be created in; nil for the parent's
}

// Process is a stage that runs.
type Process struct {
	Pid     int
	Pidfd   *os.File
	Control *os.File // this end of the conversation
}

// Start runs a stage. It waits for the plan's first sync at the latest.
func Start(l Launch) (*Process, error) {
	program, err := sys.SealedProgram(Name, blob)
	if err != nil {
		return nil, fmt.Errorf("making the stage: %w", err)
	}
	defer program.Close()
	steps, err := sys.SealedMemfd("davit-plan", l.Plan)
	if err != nil {
		return nil, fmt.Errorf("making the plan's file: %w", err)
	}
	defer steps.Close()
	ours, theirs, err := sys.Socketpair(unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, fmt.Errorf("making the control socket: %w", err)
	}
	defer theirs.Close()
	p, err := l.exec(program, theirs, steps)
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("starting the stage: %w", err)
	}
	p.Control = ours
	return p, nil
}

// exec starts the program. Its descriptors are numbered here and nowhere
// else: standard streams, preserved files, control socket, plan, files.
func (l *Launch) exec(program, control, steps *os.File) (*Process, error) {
	files := append(l.Stdio[:], l.Preserve...)
	number := len(files)
	files = append(append(files, control, steps), l.Files...)
	pidfd := -1
	attr := &syscall.ProcAttr{Env: []string{}, Files: descriptors(files), Sys: &syscall.SysProcAttr{
		Cloneflags: l.Clone,
		PidFD:      &pidfd,
	}}
	if l.Cgroup != nil {
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(l.Cgroup.Fd())
	}
	path := "/proc/" + strconv.Itoa(os.Getpid()) + "/fd/" + strconv.Itoa(int(program.Fd()))
	sys.RestoreSlack()
	pid, _, err := syscall.StartProcess(path, []string{Name, strconv.Itoa(number)}, attr)
	if err != nil {
		return nil, err
	}
	return &Process{Pid: pid, Pidfd: os.NewFile(uintptr(pidfd), "pidfd")}, nil
}

// descriptors gives the numbers in this process; a stream that is nil is closed.
func descriptors(files []*os.File) []uintptr {
	fds := make([]uintptr, len(files))
	for i, f := range files {
		fds[i] = ^uintptr(0)
		if f != nil {
			fds[i] = f.Fd()
		}
	}
	return fds
}
