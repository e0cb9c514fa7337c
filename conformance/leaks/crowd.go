package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/davit-containers/davit/conformance/internal/bundle"
	"github.com/davit-containers/davit/conformance/internal/offspring"
	"github.com/davit-containers/davit/conformance/internal/residue"
)

// crowd makes containers, many at a time. It has to be used on one locked
// thread: processes are started in that thread's namespaces.
type crowd struct {
	runtime string
	grace   time.Duration
	dir     string
	token   string // in all containers' names
	null    *os.File
	made    int
}

// newCrowd makes the bundle below dir.
func newCrowd(dir string, o options) (*crowd, error) {
	c := &crowd{runtime: o.runtime, grace: o.grace, dir: dir, token: fmt.Sprintf("leaks-%d", os.Getpid())}
	spec := bundle.Lasting()
	spec.Linux.Seccomp = bundle.Seccomp()
	if err := bundle.Write(filepath.Join(dir, "bundle"), spec); err != nil {
		return nil, fmt.Errorf("making the bundle: %w", err)
	}
	if err := offspring.Adopt(); err != nil {
		return nil, err
	}
	var err error
	c.null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0)
	return c, err
}

// close closes the crowd's file.
func (c *crowd) close() { c.null.Close() }

// life is a container and the commands that it has still to go through.
type life struct {
	id       string
	commands [][]string
	output   string // a file
}

// newLife is the whole life of another container.
func (c *crowd) newLife() *life {
	c.made++
	id := fmt.Sprintf("%s-%d", c.token, c.made)
	return &life{id: id, output: filepath.Join(c.dir, "output-"+id), commands: [][]string{
		{"create", "--bundle", filepath.Join(c.dir, "bundle"), id},
		{"start", id},
		{"exec", id, "/bin/true"},
		{"delete", "--force", id},
	}}
}

// make makes n containers, width of them at a time.
func (c *crowd) make(ctx context.Context, n, width int) error {
	running := map[int]*life{} // by the pid of the command
	begun := 0
	for begun < n || len(running) > 0 {
		for begun < n && len(running) < width && ctx.Err() == nil {
			begun++
			if err := c.next(c.newLife(), running); err != nil {
				return err
			}
		}
		if ctx.Err() != nil && len(running) == 0 {
			return ctx.Err()
		}
		if err := c.step(running); err != nil {
			return err
		}
	}
	return nil
}

// next starts the next command of a life.
func (c *crowd) next(l *life, running map[int]*life) error {
	out, err := os.OpenFile(l.output, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	argv := append([]string{c.runtime, "--root", filepath.Join(c.dir, "state")}, l.commands[0]...)
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{c.null.Fd(), out.Fd(), out.Fd()},
	})
	if err != nil {
		return fmt.Errorf("starting %s: %w", argv[0], err)
	}
	running[pid] = l
	return nil
}

// step waits for a command to end, and starts the one that follows.
func (c *crowd) step(running map[int]*life) error {
	var status syscall.WaitStatus
	pid, err := offspring.Wait(-1, &status)
	if err != nil {
		return fmt.Errorf("waiting for commands: %w", err)
	}
	l := running[pid]
	if l == nil {
		return nil // an orphan
	}
	delete(running, pid)
	if status.ExitStatus() != 0 {
		said, _ := os.ReadFile(l.output)
		return fmt.Errorf("%s %s: %s", l.commands[0][0], l.id, strings.TrimSpace(string(said)))
	}
	if l.commands = l.commands[1:]; len(l.commands) == 0 {
		return os.Remove(l.output)
	}
	return c.next(l, running)
}

// sight is what the host had at a moment.
type sight struct {
	residue.Snapshot
	counts map[string]int
}

// look looks when no process is left.
func (c *crowd) look() (sight, error) {
	if err := offspring.AwaitEnd(c.grace); err != nil {
		return sight{}, err
	}
	found, err := residue.Take(residue.Where{Token: c.token, Trees: []string{c.dir}})
	if err != nil {
		return sight{}, err
	}
	counts, err := residue.Counts()
	return sight{found, counts}, err
}

// settle looks until the kernel has freed what it frees in its own time, for
// which there is no event, or for long enough.
func (c *crowd) settle(before sight, allowed allowance) (sight, error) {
	for deadline := time.Now().Add(c.grace); ; time.Sleep(100 * time.Millisecond) {
		after, err := c.look()
		if err != nil || len(after.leaks(before, allowed)) == 0 || time.Now().After(deadline) {
			return after, err
		}
	}
}

// allowance is by how much more a count may have grown, with so many
// containers: other programs use the same kernel.
type allowance struct{ containers, more int }

// leaks are what is there that was not there before.
func (s sight) leaks(before sight, allowed allowance) []string {
	leaks := s.New(before.Snapshot)
	for what, n := range s.counts {
		if more := n - before.counts[what]; more > allowed.more {
			leaks = append(leaks, fmt.Sprintf("%d %s more after %d containers", more, what, allowed.containers))
		}
	}
	return leaks
}

// print prints the counts.
func (s sight) print(out io.Writer, before sight) {
	for _, what := range residue.Counted() {
		fmt.Fprintf(out, "  %-22s %6d before, %6d after\n", what, before.counts[what], s.counts[what])
	}
	fmt.Fprintf(out, "  %-22s %6d left\n", "anything else", len(s.New(before.Snapshot)))
}
