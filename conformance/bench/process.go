package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a command may take. A runtime that is out of memory may
// hang.
const patience = 20 * time.Second

// launcher starts commands one at a time and waits for them. It has to be used
// on one locked thread: processes are started in that thread's namespaces.
type launcher struct {
	null   *os.File
	stderr *os.File // what the last command said
	peak   string   // a file for time(1)'s figure
}

// newLauncher keeps its files in dir. Containers that their creator leaves
// become our children, so that their processor time is seen, and nothing has
// to wait for PID 1 to reap them.
func newLauncher(dir string) (*launcher, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("becoming a child subreaper: %w", err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	stderr, err := os.OpenFile(filepath.Join(dir, "stderr"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &launcher{null: null, stderr: stderr, peak: filepath.Join(dir, "peak")}, nil
}

// close closes the launcher's files.
func (l *launcher) close() {
	l.null.Close()
	l.stderr.Close()
}

// run executes a command and gives its wall time and the processor time of all
// processes that ended meanwhile: the command, its children, and the orphans.
// A command that fails, or is killed after patience, is an error with the last
// line that it printed.
func (l *launcher) run(argv []string) (wall, cpu time.Duration, err error) {
	if err := l.stderr.Truncate(0); err != nil {
		return 0, 0, err
	}
	attr := syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{l.null.Fd(), l.null.Fd(), l.stderr.Fd()}}
	begin := time.Now()
	pid, err := syscall.ForkExec(argv[0], argv, &attr)
	if err != nil {
		return 0, 0, fmt.Errorf("starting %s: %w", argv[0], err)
	}
	late := time.AfterFunc(patience, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	status, cpu, err := wait(pid)
	wall = time.Since(begin)
	when := punctuality(late.Stop())
	if err == nil {
		err = l.verdict(status, when)
	}
	return wall, cpu, err
}

// wait reaps children until the one that it waits for has ended.
func wait(pid int) (status syscall.WaitStatus, cpu time.Duration, err error) {
	for {
		got, status, used, err := waitAny()
		cpu += used
		if err != nil || got == pid {
			return status, cpu, err
		}
	}
}

// drain reaps the orphans that have ended, and gives their processor time.
func drain() (cpu time.Duration) {
	for {
		var usage syscall.Rusage
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, &usage); err != nil || pid <= 0 {
			return cpu
		}
		cpu += processorTime(&usage)
	}
}

// processorTime is the user and system time of a process and of the children
// that it waited for.
func processorTime(usage *syscall.Rusage) time.Duration {
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// punctuality tells whether a command had to be killed because it took too long.
type punctuality bool

const (
	inTime  punctuality = true
	tooLate punctuality = false
)

// verdict is nil for a command that ended well; otherwise an error that says
// how it ended and the last line that it printed.
func (l *launcher) verdict(status syscall.WaitStatus, when punctuality) error {
	if status.Exited() && status.ExitStatus() == 0 {
		return nil
	}
	how := fmt.Sprintf("exit status %d", status.ExitStatus())
	switch {
	case when == tooLate:
		how = fmt.Sprintf("killed after %v", patience)
	case status.Signaled():
		how = status.Signal().String()
	}
	said, _ := io.ReadAll(io.NewSectionReader(l.stderr, 0, 1<<16))
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		how += ": " + last
	}
	return errors.New(how)
}

// peakKiB runs a command below time(1) and gives the peak resident memory of
// the largest of its processes. Our own wait would not do: a process keeps the
// peak of the memory that it was forked with, and a Go parent's is larger than
// that of a small runtime.
func (l *launcher) peakKiB(argv []string) (int, error) {
	timed := append([]string{timeProgram, "--format", "%M", "--output", l.peak}, argv...)
	if _, _, err := l.run(timed); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(l.peak)
	if err != nil {
		return 0, err
	}
	kib, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("reading the figure of %s: %w", timeProgram, err)
	}
	return kib, nil
}

// timeProgram is time(1).
const timeProgram = "/usr/bin/time"
