package supervise

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/events"
)

// A container is starting, becomes healthy, fails for a while without harm, and is
// unhealthy after as many failures as it may have; each change is an event.
func TestHealth(t *testing.T) {
	m := newMachine(t)
	began := time.Now()
	c, client := m.waiting(func(c *container.Config) {
		c.Health = &container.Health{
			Test:     []string{"CMD-SHELL", "echo checked; [ ! -e /tmp/ill ]"},
			Interval: 50 * time.Millisecond, Timeout: 5 * time.Second, Retries: 2,
		}
	})
	s, err := c.State()
	if err != nil || s.Health == nil || s.Health.Status != container.Starting {
		t.Fatalf("state %+v, %v", s, err)
	}
	m.awaitEvent("health_status: healthy", began)
	m.touch(c, "/tmp/ill")
	m.awaitEvent("health_status: unhealthy", began)
	s, err = c.State()
	if err != nil || s.Health.Status != container.Unhealthy || s.Health.FailingStreak < 2 || len(s.Health.Log) > maxHealthLog {
		t.Errorf("state %+v, %v", s.Health, err)
	}
	if last := s.Health.Log[len(s.Health.Log)-1]; last.ExitCode != 1 || last.Output != "checked\n" {
		t.Errorf("the last check %+v", last)
	}
	if err := client.Stop(t.Context(), StopOptions{Signal: 9}); err != nil {
		t.Error(err)
	}
}

// A check that takes too long is ended, and has failed.
func TestHealthTimeout(t *testing.T) {
	m := newMachine(t)
	began := time.Now()
	c, _ := m.waiting(func(c *container.Config) {
		c.Health = &container.Health{
			Test:     []string{"CMD", "/bin/sh", "-c", "echo slow; read x </dev/pts/ptmx"},
			Interval: 20 * time.Millisecond, Timeout: 50 * time.Millisecond, Retries: 1,
		}
	})
	m.awaitEvent("health_status: unhealthy", began)
	s, err := c.State()
	if err != nil || len(s.Health.Log) == 0 {
		t.Fatalf("state %+v, %v", s.Health, err)
	}
	if r := s.Health.Log[0]; r.ExitCode != -1 || !strings.HasPrefix(r.Output, "Health check exceeded timeout (50ms): slow") {
		t.Errorf("the check %+v", r)
	}
}

// Failures in the start period do not count.
func TestJudge(t *testing.T) {
	s := &supervisor{}
	s.state.StartedAt = time.Now()
	s.state.Health = &container.HealthState{Status: container.Starting}
	h := &health{s: s, c: &container.Health{StartPeriod: time.Hour, Retries: 1}}
	state := *s.state.Health
	if h.judge(&state, 1); state.FailingStreak != 0 || state.Status != container.Starting {
		t.Errorf("in the start period: %+v", state)
	}
	if h.judge(&state, 0); state.Status != container.Healthy {
		t.Errorf("healthy: %+v", state)
	}
	s.state.Health = &state
	if h.judge(&state, 1); state.Status != container.Unhealthy || state.FailingStreak != 1 {
		t.Errorf("after it was healthy: %+v", state)
	}
}

// awaitEvent waits for an event.
func (m *machine) awaitEvent(action string, since time.Time) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	found := false
	events.Follow(ctx, m.store.Root(), events.Query{Since: since}, func(e events.Event) error {
		if e.Action == action {
			found = true
			cancel()
		}
		return nil
	})
	if !found {
		m.t.Fatalf("event %q has not come", action)
	}
}
