package supervise

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/loop"
	"github.com/davit-containers/davit/shim/protobuf"
)

// What health checks are where the configuration does not say, how much of their
// output is kept, in bytes, and of how many.
// Compat(moby): its numbers.
const (
	healthInterval      = 30 * time.Second
	healthTimeout       = 30 * time.Second
	healthStartInterval = 5 * time.Second
	healthRetries       = 3
	maxHealthOutput     = 4096
	maxHealthLog        = 5
)

// health runs a container's health checks, one after the other, while it runs.
type health struct {
	s     *supervisor
	c     *container.Health // nil for none
	next  *loop.Timer
	check *check // that is under way
}

// check is one run of the program that tells.
type check struct {
	id       string
	start    time.Time
	timeout  *loop.Timer
	output   []byte
	timedOut bool
}

// withHealth gives the supervisor its checks, where the container has any.
func (s *supervisor) withHealth() *health {
	c := s.c.Config.Health
	if c == nil || len(c.Test) < 2 || c.Test[0] == "NONE" {
		return &health{s: s}
	}
	full := *c
	for _, d := range []struct {
		value *time.Duration
		other time.Duration
	}{{&full.Interval, healthInterval}, {&full.Timeout, healthTimeout}, {&full.StartInterval, healthStartInterval}} {
		if *d.value == 0 {
			*d.value = d.other
		}
	}
	if full.Retries == 0 {
		full.Retries = healthRetries
	}
	return &health{s: s, c: &full}
}

// reset forgets what was known, before the container runs.
func (h *health) reset() {
	h.s.state.Health = nil
	if h.c != nil {
		h.s.state.Health = &container.HealthState{Status: container.Starting}
	}
}

// begin begins to check a container that runs.
func (h *health) begin() {
	if h.c == nil || h.next != nil || h.check != nil {
		return
	}
	if h.s.state.Health == nil {
		h.reset()
	}
	h.next = h.s.loop.After(h.interval(), func() { h.next = nil; h.run() })
}

// interval is how long it is until the next check.
func (h *health) interval() time.Duration {
	if h.starts() {
		return h.c.StartInterval
	}
	return h.c.Interval
}

// starts tells whether the container has time to become healthy.
func (h *health) starts() bool {
	return h.s.state.Health.Status == container.Starting && time.Since(h.s.state.StartedAt) < h.c.StartPeriod
}

// stop ends the checking: the container does not run.
func (h *health) stop() {
	h.next.Stop()
	h.next = nil
	if h.check != nil {
		h.check.timeout.Stop()
		h.check = nil
	}
}

// run starts a check.
func (h *health) run() {
	args := h.c.Test[1:]
	if h.c.Test[0] == "CMD-SHELL" {
		args = []string{"/bin/sh", "-c", h.c.Test[1]}
	}
	check := &check{id: newID(), start: time.Now().UTC()}
	h.check = check
	m := &execRequest{ID: check.id, Process: execProcess{Args: args}, Output: true}
	h.s.exec(nil, m, func(_ protobuf.Message, err error) {
		switch {
		case h.check != check: // the container has ended
		case err != nil:
			check.output = []byte(err.Error())
			h.done(check, -1)
		default:
			h.await(check)
		}
	})
}

// await hears what the check writes, and how it ends.
func (h *health) await(check *check) {
	p := h.s.execs[check.id]
	if p == nil {
		h.done(check, -1)
		return
	}
	check.timeout = h.s.loop.After(h.c.Timeout, func() {
		check.timedOut = true
		h.s.engine.Kill(h.s.c.Config.ID, check.id, unix.SIGKILL, false, func(error) {})
	})
	h.listen(p, check, &outputRequest{Exec: check.id, Reader: "health"})
	p.claimed()
	ended := func(status uint32) {
		if h.check == check {
			h.done(check, int(status))
		}
	}
	if p.status != nil {
		ended(*p.status)
		return
	}
	p.waiting = append(p.waiting, waiter[uint32]{tell: ended})
}

// listen keeps the beginning of what the check writes, and takes the rest.
func (h *health) listen(p *process, check *check, m *outputRequest) {
	p.output(&outputCall{nil, m, func(r *outputReply, err error) {
		if err != nil {
			return
		}
		for i, data := range r.Data {
			check.output = append(check.output, data[:min(len(data), maxHealthOutput-len(check.output))]...)
			m.At[i] = r.At[i] + position(len(data))
		}
		if r.Ended[0] && r.Ended[1] {
			p.leave(m.Reader)
			return
		}
		h.s.loop.Post(func() { h.listen(p, check, m) })
	}})
}

// done notes what a check has said.
// Compat(moby): what counts as what.
func (h *health) done(check *check, status int) {
	check.timeout.Stop()
	h.check = nil
	result := container.HealthResult{Start: check.start, End: time.Now().UTC(), ExitCode: status, Output: string(check.output)}
	if check.timedOut {
		result.ExitCode = -1
		result.Output = fmt.Sprintf("Health check exceeded timeout (%v)", h.c.Timeout)
		if len(check.output) > 0 {
			result.Output += ": " + string(check.output)
		}
	}
	state := *h.s.state.Health
	state.Log = append(state.Log[:len(state.Log):len(state.Log)], result)
	state.Log = state.Log[max(0, len(state.Log)-maxHealthLog):]
	before := state.Status
	h.judge(&state, result.ExitCode)
	h.s.state.Health = &state
	h.s.save()
	if state.Status != before {
		h.s.events.note("health_status: "+state.Status, nil)
	}
	h.begin()
}

// judge is what the container is after a check.
func (h *health) judge(state *container.HealthState, status int) {
	switch {
	case status == 0:
		state.FailingStreak, state.Status = 0, container.Healthy
	case h.starts():
	default:
		state.FailingStreak++
		if state.FailingStreak >= h.c.Retries {
			state.Status = container.Unhealthy
		}
	}
}
