package supervise

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/davit-containers/davit/shim/container"
)

func TestRun(t *testing.T) {
	m := newMachine(t)
	c := m.create("echo hello; echo error >&2; printf end; exit 7", nil)
	client := m.start(c, true)
	var out, errs bytes.Buffer
	if err := client.Attach(t.Context(), AttachOptions{First: true}, Streams{Stdout: &out, Stderr: &errs}); err != nil {
		t.Error(err)
	}
	if status, err := client.Wait(t.Context()); status != 7 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
	if err := client.End(t.Context()); err != nil {
		t.Error(err)
	}
	if out.String() != "hello\nend" || errs.String() != "error\n" {
		t.Errorf("wrote %q and %q", out.String(), errs.String())
	}
	if out, errs := m.logged(c); out != "hello\nend" || errs != "error\n" {
		t.Errorf("logged %q and %q", out, errs)
	}
	s, err := c.State()
	if err != nil || s.Status != container.Exited || s.ExitCode != 7 || s.StartedAt.IsZero() || s.FinishedAt.Before(s.StartedAt) {
		t.Errorf("state %+v, %v", s, err)
	}
	if _, err := Dial(c); !errors.Is(err, ErrNotRunning) {
		t.Errorf("dialling what has ended: %v", err)
	}
}

// A container can be started again, and its log goes on.
func TestStartAgain(t *testing.T) {
	m := newMachine(t)
	c := m.create("echo run; exit 3", nil)
	for range 3 {
		client := m.start(c, false)
		if status, err := client.Wait(t.Context()); status != 3 || err != nil {
			t.Errorf("status %d, %v", status, err)
		}
	}
	if out, _ := m.logged(c); out != "run\nrun\nrun\n" {
		t.Errorf("logged %q", out)
	}
}

func TestInput(t *testing.T) {
	m := newMachine(t)
	c := m.create("exec cat", func(c *container.Config) { c.Interactive = true })
	if err := os.Symlink("sh", c.Bundle()+"/rootfs/bin/cat"); err != nil {
		t.Fatal(err)
	}
	sent := strings.Repeat("0123456789abcdef\n", 200_000)
	var out bytes.Buffer
	client := m.start(c, true)
	err := client.Attach(t.Context(), AttachOptions{First: true}, Streams{Stdin: strings.NewReader(sent), Stdout: &out})
	if err != nil {
		t.Error(err)
	}
	if out.String() != sent {
		t.Errorf("%d bytes came back of %d", out.Len(), len(sent))
	}
	if logged, _ := m.logged(c); logged != sent {
		t.Errorf("%d bytes logged of %d", len(logged), len(sent))
	}
}

func TestStartFails(t *testing.T) {
	m := newMachine(t)
	c := m.create("", nil)
	if err := os.Remove(c.Bundle() + "/rootfs/bin/sh"); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), c, StartOptions{Attach: true})
	failedAt := time.Now()
	var failed *StartError
	if !errors.As(err, &failed) || failed.ExitCode() != 127 {
		t.Errorf("%v", err)
	}
	if err := m.freed(c); err != nil {
		t.Error(err)
	}
	if took := time.Since(failedAt); took >= returnTime/2 {
		t.Errorf("the end took %v: a reader was awaited, of whom there is none", took)
	}
	s, err := c.State()
	if err != nil || s.Status != container.Created || s.ExitCode != 127 || s.Error == "" {
		t.Errorf("state %+v, %v", s, err)
	}
}

func TestStop(t *testing.T) {
	m := newMachine(t)
	c := m.create("trap 'echo bye; exit 5' TERM; echo ready; read x", func(c *container.Config) { c.Interactive = true })
	client := m.start(c, true)
	r, w := io.Pipe()
	go func() {
		w.CloseWithError(client.Attach(context.Background(), AttachOptions{First: true}, Streams{Stdout: w}))
	}()
	if _, err := io.ReadFull(r, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	go client.Stop(context.Background(), StopOptions{})
	if rest, err := io.ReadAll(r); string(rest) != "bye\n" || err != nil {
		t.Errorf("read %q, %v", rest, err)
	}
	if status, err := client.Wait(t.Context()); status != 5 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
}

func TestAutoRemove(t *testing.T) {
	m := newMachine(t)
	c := m.create("exit 4", func(c *container.Config) { c.AutoRemove = true })
	client := m.start(c, false)
	status, err := client.Wait(t.Context())
	if status != 4 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
	if err := client.End(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := m.store.Find(c.Config.ID); !errors.Is(err, container.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

// A client that asks late, when the container has been removed already, hears how
// it ended: it was connected.
func TestWaitAfterTheEnd(t *testing.T) {
	m := newMachine(t)
	c := m.create("exit 6", func(c *container.Config) { c.AutoRemove = true })
	client := m.start(c, true)
	late, err := Dial(c)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	if err := client.Attach(t.Context(), AttachOptions{First: true}, Streams{}); err != nil {
		t.Error(err)
	}
	if err := client.End(t.Context()); err != nil {
		t.Error(err)
	}
	if status, err := late.Wait(t.Context()); status != 6 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
}

// A supervisor that is killed while it removes its container leaves the rest to the
// next, and who waited knows how the container ended.
func TestKilledWhileRemoving(t *testing.T) {
	m := newMachine(t)
	if err := os.WriteFile(filepath.Join(m.store.Root(), killsRemover), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := m.create("echo out; exit 4", func(c *container.Config) { c.AutoRemove = true })
	client := m.start(c, true)
	var out bytes.Buffer
	if err := client.Attach(t.Context(), AttachOptions{First: true}, Streams{Stdout: &out}); err != nil || out.String() != "out\n" {
		t.Errorf("attach: %q, %v", out.String(), err)
	}
	if status, err := client.Wait(t.Context()); status != 4 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
	if err := client.End(t.Context()); err != nil {
		t.Error(err)
	}
	if pid, err := m.keeper(c); err == nil {
		m.awaitEnd(pid, 10_000)
	}
	if _, err := os.Stat(c.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the container's directory: %v", err)
	}
}

// What a program that was killed had begun to start is started, and not twice; or it has
// ended by then and is removed, for which nobody is waited for.
func TestStartAfterAKilledStart(t *testing.T) {
	for name, remove := range map[string]bool{"runs": false, "is being removed": true} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			script := "read x"
			if remove {
				script = "exit 0"
			}
			c := m.create(script, func(c *container.Config) { c.Interactive, c.AutoRemove = true, remove })
			l, err := c.Lock()
			if err != nil {
				t.Fatal(err)
			}
			defer l.Unlock()
			lock, err := c.Supervise()
			if err != nil {
				t.Fatal(err)
			}
			killed, err := launch(c, lock, StartOptions{})
			if err != nil {
				t.Fatal(err)
			}
			lock.Close()
			if remove { // it has ended
				_, err = killed.Wait(t.Context())
				err = errors.Join(err, killed.Stop(t.Context(), StopOptions{}))
			}
			killed.Close()
			if _, again := Start(t.Context(), c, StartOptions{}); err != nil || again == nil || !strings.Contains(again.Error(), name) {
				t.Errorf("got %v, %v", again, err)
			}
			if s, err := c.State(); err != nil || (s.Status == container.Running) == remove {
				t.Errorf("state %+v, %v", s, err)
			}
			if pid, err := m.keeper(c); remove && err == nil {
				l.Unlock()
				m.awaitEnd(pid, 10_000)
			}
		})
	}
}
