package hook

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// process is a hook that runs, in a process group of its own.
type process struct {
	pid    int
	pidfd  *os.File
	stdin  *os.File // nil once everything is written
	stdout sink
	stderr sink
}

// start starts the hook with pipes for its input and output.
func start(h *specs.Hook, o Options) (*process, error) {
	pidfd := -1
	if err := sys.KeepDescriptors(); err != nil {
		return nil, err
	}
	ends, files, err := pipes()
	if err != nil {
		return nil, err
	}
	sys.RestoreSlack()
	proc, err := os.StartProcess(h.Path, argv(h), &os.ProcAttr{
		Dir:   o.Dir,
		Env:   environment(h, o.Env),
		Files: files,
		Sys:   &syscall.SysProcAttr{Setpgid: true, PidFD: &pidfd},
	})
	sys.CloseAll(files)
	if err != nil {
		sys.CloseAll(ends)
		return nil, err
	}
	defer proc.Release()
	return &process{
		pid:    proc.Pid,
		pidfd:  os.NewFile(uintptr(pidfd), "pidfd"),
		stdin:  ends[0],
		stdout: sink{file: ends[1]},
		stderr: sink{file: ends[2]},
	}, nil
}

// environment is nil where it is this process's.
func environment(h *specs.Hook, more []string) []string {
	if len(more) == 0 {
		return h.Env
	}
	env := slices.Clone(h.Env)
	if h.Env == nil {
		env = slices.DeleteFunc(os.Environ(), func(e string) bool { return has(more, e) })
	}
	for _, e := range more {
		if !has(env, e) {
			env = append(env, e)
		}
	}
	return env
}

// has tells whether a variable of env has the same name.
func has(env []string, variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
}

func argv(h *specs.Hook) []string {
	if len(h.Args) == 0 {
		return []string{h.Path}
	}
	return h.Args
}

// pipes makes three pipes: our ends, which do not block, and a process's
// standard input, output and error.
func pipes() (ours, theirs []*os.File, err error) {
	for i := range 3 {
		var fd [2]int
		if err := unix.Pipe2(fd[:], unix.O_CLOEXEC); err != nil {
			sys.CloseAll(append(ours, theirs...))
			return nil, nil, os.NewSyscallError("pipe2", err)
		}
		if i == 0 {
			fd[0], fd[1] = fd[1], fd[0]
		}
		theirs = append(theirs, os.NewFile(uintptr(fd[1]), "hook"))
		ours = append(ours, os.NewFile(uintptr(fd[0]), "pipe"))
		unix.SetNonblock(fd[0], true) // after NewFile: poll(2) waits here, not the runtime
	}
	return ours, theirs, nil
}

// finish waits for the hook's end, which comes by SIGKILL to its process group
// when ctx ends, and says what went wrong.
func (p *process) finish(ctx context.Context, state []byte) error {
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		unix.Kill(-p.pid, unix.SIGKILL)
		close(killed)
	})
	err := p.converse(state)
	if err != nil {
		unix.Kill(-p.pid, unix.SIGKILL)
	}
	if !stop() {
		<-killed // before the pid is given back
	}
	exit, waitErr := sys.PidfdWait(p.pidfd)
	switch {
	case err != nil:
		return err
	case waitErr != nil:
		return waitErr
	case exit == sys.Exit{}:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return fmt.Errorf("%v, stdout: %s, stderr: %s", exit, p.stdout.text(), p.stderr.text())
}

// converse writes state to the hook and reads what it prints, until it ends.
// What it printed is then in the pipes: a descendant that keeps them open is
// not waited for.
func (p *process) converse(state []byte) error {
	for {
		ready, err := p.wait()
		if err != nil {
			return err
		}
		if ready[1] {
			state = p.feed(state)
		}
		if ready[2] {
			p.stdout.read()
		}
		if ready[3] {
			p.stderr.read()
		}
		if ready[0] {
			p.stdout.drain()
			p.stderr.drain()
			return nil
		}
	}
}

// wait waits until one of the process's end, its input and its outputs, in
// this order, has something to do.
func (p *process) wait() (ready [4]bool, err error) {
	fds := [4]unix.PollFd{
		{Fd: fd(p.pidfd), Events: unix.POLLIN},
		{Fd: fd(p.stdin), Events: unix.POLLOUT},
		{Fd: fd(p.stdout.file), Events: unix.POLLIN},
		{Fd: fd(p.stderr.file), Events: unix.POLLIN},
	}
	_, err = sys.RetryValue(func() (int, error) { return unix.Poll(fds[:], -1) })
	for i := range fds {
		ready[i] = fds[i].Revents != 0
	}
	return ready, os.NewSyscallError("poll", err)
}

// fd is the number of f, or -1, which poll(2) skips.
func fd(f *os.File) int32 {
	if f == nil {
		return -1
	}
	return int32(f.Fd())
}

// feed writes what the pipe takes, and returns the rest. A hook need not read:
// that the pipe is closed is no failure.
func (p *process) feed(state []byte) []byte {
	n, err := sys.RetryValue(func() (int, error) { return unix.Write(int(p.stdin.Fd()), state) })
	if err == unix.EAGAIN {
		return state
	}
	if err != nil || n == len(state) {
		p.stdin.Close()
		p.stdin = nil
		return nil
	}
	return state[n:]
}

func (p *process) close() {
	sys.CloseAll([]*os.File{p.pidfd, p.stdin, p.stdout.file, p.stderr.file})
}
