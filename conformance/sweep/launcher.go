package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/davit-containers/davit/conformance/internal/offspring"
)

// patience is how long a command may take.
const patience = 20 * time.Second

// grace is how long what is left of a removed container may take to be gone.
const grace = 5 * time.Second

// launcher starts commands one at a time. It has to be used on one locked
// thread: processes are started in that thread's namespaces.
type launcher struct {
	null   *os.File
	stdout *os.File // what the last command printed
	stderr *os.File
	grace  time.Duration // see [grace]
}

// newLauncher keeps its files in dir.
func newLauncher(dir string) (*launcher, error) {
	if err := offspring.Adopt(); err != nil {
		return nil, err
	}
	l := &launcher{grace: grace}
	var err error
	if l.null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
		return nil, err
	}
	const flags = os.O_RDWR | os.O_CREATE | os.O_APPEND
	if l.stdout, err = os.OpenFile(filepath.Join(dir, "stdout"), flags, 0o600); err != nil {
		return nil, err
	}
	l.stderr, err = os.OpenFile(filepath.Join(dir, "stderr"), flags, 0o600)
	return l, err
}

// close closes the launcher's files.
func (l *launcher) close() {
	for _, f := range []*os.File{l.null, l.stdout, l.stderr} {
		f.Close()
	}
}

// start starts a command.
func (l *launcher) start(argv []string, sys *syscall.SysProcAttr) (int, error) {
	for _, f := range []*os.File{l.stdout, l.stderr} {
		if err := f.Truncate(0); err != nil {
			return 0, err
		}
	}
	attr := syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{l.null.Fd(), l.stdout.Fd(), l.stderr.Fd()}, Sys: sys}
	pid, err := syscall.ForkExec(argv[0], argv, &attr)
	if err != nil {
		return 0, fmt.Errorf("starting %s: %w", argv[0], err)
	}
	return pid, nil
}

// outcome is how a command ended and what it printed.
type outcome struct {
	status         syscall.WaitStatus
	stdout, stderr string
}

// ok tells whether the command's exit status was 0.
func (o outcome) ok() bool { return o.status.Exited() && o.status.ExitStatus() == 0 }

// String is the outcome in a message.
func (o outcome) String() string {
	how := fmt.Sprintf("exit status %d", o.status.ExitStatus())
	if o.status.Signaled() {
		how = o.status.Signal().String()
	}
	if o.stderr != "" {
		how += ": " + o.stderr
	}
	return how
}

// run executes a command. One that is not done in time is killed.
func (l *launcher) run(argv []string) (outcome, error) {
	pid, err := l.start(argv, nil)
	if err != nil {
		return outcome{}, err
	}
	late := time.AfterFunc(patience, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	defer late.Stop()
	for {
		var status syscall.WaitStatus
		got, err := offspring.Wait(-1, &status)
		if err != nil {
			return outcome{}, fmt.Errorf("waiting for %s: %w", argv[0], err)
		}
		if got == pid {
			return l.outcome(status), nil
		}
		offspring.LetGo(got, status)
	}
}

// runKilled executes a command that is killed at its at-th call.
func (l *launcher) runKilled(argv []string, at int) (*tracer, outcome, error) {
	pid, err := l.start(argv, &syscall.SysProcAttr{Ptrace: true})
	if err != nil {
		return nil, outcome{}, err
	}
	t, err := trace(pid, at)
	return t, l.outcome(t.status), err
}

// outcome reads what the last command printed.
func (l *launcher) outcome(status syscall.WaitStatus) outcome {
	return outcome{status, printed(l.stdout), printed(l.stderr)}
}

// printed is the text of a file, as far as anyone would look at it.
func printed(f *os.File) string {
	text, _ := io.ReadAll(io.NewSectionReader(f, 0, 1<<16))
	return strings.TrimSpace(string(text))
}
