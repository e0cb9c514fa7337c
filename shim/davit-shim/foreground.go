package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/containerd/console"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/supervise"
)

// attachment says which of a process's streams are connected to this program's.
type attachment struct {
	stdin, stdout, stderr bool
	signals               bool   // those that come are the container's
	detachKeys            string // instead of the container's own
	first                 bool   // from the first byte on
	exec                  string // a further process; "" is the container's first
	terminal              bool   // of the further process
}

// foreground is a container's streams here until it ends, whose status is ours.
func (p *program) foreground(ctx context.Context, client *supervise.Client, c *container.Container, a attachment) error {
	a.terminal = c.Config.Terminal
	if a.signals {
		// The first signal does not end this program: it is the container's.
		ctx = context.WithoutCancel(ctx)
		stop := passSignals(ctx, client)
		defer stop()
	}
	err := p.connect(ctx, client, c, a)
	if errors.Is(err, supervise.ErrDetached) {
		return nil
	}
	if err != nil {
		return err
	}
	code, err := client.Wait(ctx)
	if err == nil {
		err = client.End(ctx)
	}
	if err == nil && code != 0 {
		err = exitStatus(code)
	}
	return err
}

// connect moves a process's streams until its outputs have ended.
func (p *program) connect(ctx context.Context, client *supervise.Client, c *container.Container, a attachment) error {
	s := supervise.Streams{Lost: func(bytes int64) {
		fmt.Fprintf(p.err, "%s: %d bytes of output are not shown: nobody took them in time [they are in the log]\n", name, bytes)
	}}
	if a.stdout {
		s.Stdout = p.out
	}
	if a.stderr {
		s.Stderr = p.err
	}
	if a.terminal {
		stop := p.follow(ctx, client, a.exec)
		defer stop()
	}
	if a.stdin {
		s.Stdin = p.in
	}
	if a.stdin && a.terminal && isTerminal(p.in) {
		keys, err := detachKeys(c, a)
		if err != nil {
			return err
		}
		raw, err := console.ConsoleFromFile(p.in)
		if err == nil {
			err = raw.SetRaw()
		}
		if err != nil {
			return fmt.Errorf("making the terminal raw: %w", err)
		}
		defer raw.Reset()
		s.Stdin = supervise.DetachBy(p.in, keys)
	}
	return client.Attach(ctx, supervise.AttachOptions{Exec: a.exec, First: a.first}, s)
}

// detachKeys are those that leave the process alone.
func detachKeys(c *container.Container, a attachment) ([]byte, error) {
	text := a.detachKeys
	if text == "" {
		text = c.Config.DetachKeys
	}
	return supervise.ParseDetachKeys(text)
}

// notPassed are signals that are not for a container: of this program's own
// affairs, of its terminal, and of Go's scheduler.
var notPassed = []os.Signal{unix.SIGCHLD, unix.SIGPIPE, unix.SIGURG, unix.SIGWINCH, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGCONT}

// passSignals has those that come be the container's, until it is stopped.
func passSignals(ctx context.Context, client *supervise.Client) (stop func()) {
	came := make(chan os.Signal, 64)
	signal.Notify(came)
	signal.Reset(notPassed...)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case sig := <-came:
				_ = client.Kill(ctx, sig.(unix.Signal)) // it may have ended
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(came)
		close(done)
	}
}

// follow keeps a process's terminal as large as ours, until it is stopped.
func (p *program) follow(ctx context.Context, client *supervise.Client, exec string) (stop func()) {
	terminal := p.in
	if out, ok := p.out.(*os.File); ok && isTerminal(out) {
		terminal = out
	}
	if !isTerminal(terminal) {
		return func() {}
	}
	came := make(chan os.Signal, 1)
	signal.Notify(came, unix.SIGWINCH)
	done := make(chan struct{})
	go func() {
		for {
			if size, err := unix.IoctlGetWinsize(int(terminal.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
				_ = client.Resize(ctx, exec, int(size.Col), int(size.Row)) // it may have ended
			}
			select {
			case <-came:
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(came)
		close(done)
	}
}
