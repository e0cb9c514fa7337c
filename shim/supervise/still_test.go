package supervise

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/events"
)

// A container is kept still for a client that reads its files, and goes on when
// that lets go, or has gone, or its supervisor is killed.
func TestStill(t *testing.T) {
	tests := []struct {
		name string
		end  func(m *machine, c *container.Container, client *Client) error
	}{
		{"let go", func(_ *machine, _ *container.Container, client *Client) error {
			return client.LetGo(context.Background())
		}},
		{"gone", func(_ *machine, _ *container.Container, client *Client) error { client.Close(); return nil }},
		{"supervisor killed", func(m *machine, c *container.Container, _ *Client) error {
			pid, err := m.supervisor(c)
			return errors.Join(err, unix.Kill(pid, unix.SIGKILL))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			c, other := m.waiting(nil)
			client, err := Dial(c)
			if err != nil {
				t.Fatal(err)
			}
			if tt.name != "gone" {
				defer client.Close()
			}
			needs.Kernel(t, needs.Freezer, client.KeepStill(t.Context()))
			if s, err := c.State(); err != nil || s.Status != container.Running {
				t.Errorf("it is %q, %v", s.Status, err)
			}
			if other.Pause(t.Context()) == nil {
				t.Error("it was not still")
			}
			status := make(chan int, 1)
			go func() { // which waits until it is no longer kept still
				_, _, s := m.exec(other, script("exit 5"), "")
				status <- s
			}()
			if err := tt.end(m, c, client); err != nil {
				t.Fatal(err)
			}
			m.await(c, "unpause")
			if s := <-status; s != 5 {
				t.Errorf("status %d", s)
			}
		})
	}
}

// Clients that keep a container still at the same time wait for one another, and
// one that is stopped meanwhile ends.
func TestStillTogether(t *testing.T) {
	m := newMachine(t)
	c, client := m.waiting(nil)
	needs.Kernel(t, needs.Freezer, client.KeepStill(t.Context()))
	other, err := Dial(c)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := errors.Join(other.KeepStill(t.Context()), client.LetGo(t.Context())); err != nil {
		t.Error(err)
	}
	if client.Pause(t.Context()) == nil {
		t.Error("it was not still for the second")
	}
	if err := client.Stop(t.Context(), StopOptions{Signal: unix.SIGKILL}); err != nil {
		t.Error(err)
	}
	if err := other.LetGo(t.Context()); err != nil {
		t.Error(err)
	}
	if err := client.KeepStill(t.Context()); err != nil && !errors.Is(err, ErrNotRunning) {
		t.Errorf("of one that has ended: %v", err)
	}
}

// A user's pause is there after the supervisor was killed.
func TestPausedAndKilled(t *testing.T) {
	m := newMachine(t)
	c, client := m.waiting(nil)
	needs.Kernel(t, needs.Freezer, client.Pause(t.Context()))
	m.await(c, "pause")
	pid, err := m.supervisor(c)
	if err := errors.Join(err, unix.Kill(pid, unix.SIGKILL)); err != nil {
		t.Fatal(err)
	}
	if err := client.Resume(t.Context()); err != nil {
		t.Error(err)
	}
	if _, _, status := m.exec(client, script("exit 5"), ""); status != 5 {
		t.Errorf("status %d", status)
	}
}

// Without its keeper a supervisor goes on, also with new processes.
func TestKeeperKilled(t *testing.T) {
	m := newMachine(t)
	c, client := m.waiting(nil)
	keeper, err := m.keeper(c)
	if err := errors.Join(err, unix.Kill(keeper, unix.SIGKILL)); err != nil {
		t.Fatal(err)
	}
	if out, _, status := m.exec(client, script("echo out; exit 5"), ""); out != "out\n" || status != 5 {
		t.Errorf("wrote %q, status %d", out, status)
	}
	if err := client.Stop(t.Context(), StopOptions{Signal: unix.SIGKILL}); err != nil {
		t.Error(err)
	}
	if status, err := client.Wait(t.Context()); status != 137 || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
	log := filepath.Join(c.Dir(), logFile)
	if said, err := os.ReadFile(log); !strings.Contains(string(said), "the keeper has ended") {
		t.Errorf("the supervisor said %q, %v", said, err)
	}
	if err := os.Remove(log); err != nil { // what was said is no fault
		t.Error(err)
	}
}

// await waits for an event of a container.
func (m *machine) await(c *container.Container, action string) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	found := errors.New("found")
	err := events.Follow(ctx, m.store.Root(), events.Query{Since: time.Unix(1, 0)}, func(e events.Event) error {
		if e.ID == c.Config.ID && e.Action == action {
			return found
		}
		return nil
	})
	if !errors.Is(err, found) {
		m.t.Fatalf("no event %s: %v", action, err)
	}
}
