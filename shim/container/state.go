package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/davit-containers/davit/shim/internal/statefile"
)

// Status is what a container is at the moment.
type Status string

// What a container can be.
// Compat(moby): the words.
const (
	Created    Status = "created"
	Running    Status = "running"
	Paused     Status = "paused"
	Restarting Status = "restarting"
	Exited     Status = "exited"
	Dead       Status = "dead"
)

// State is what became of a container. Its supervisor alone writes it while it
// lives, and otherwise whoever has the container locked.
type State struct {
	Status     Status
	Pid        int    `json:",omitempty"` // of its first process, 0 when there is none
	ExitCode   int    // as Docker has it: 128 and the signal for one that was killed
	Error      string `json:",omitempty"` // why it could not be started or watched
	OOMKilled  bool   `json:",omitempty"`
	StartedAt  time.Time
	FinishedAt time.Time

	RestartCount  int  `json:",omitempty"`
	StoppedByUser bool `json:",omitempty"` // it is not started again but by a user
	Stopping      bool `json:",omitempty"` // it is to be killed if it does not end in time

	Health *HealthState `json:",omitempty"`

	Boot string `json:",omitempty"` // the machine's boot in which this was written
}

// Health states.
const (
	Starting  = "starting"
	Healthy   = "healthy"
	Unhealthy = "unhealthy"
)

// HealthState is what the last checks said.
type HealthState struct {
	Status        string
	FailingStreak int
	Log           []HealthResult // the last five, the oldest first
}

// HealthResult is what one check said.
type HealthResult struct {
	Start, End time.Time
	ExitCode   int
	Output     string
}

// Alive tells whether the container has a supervisor.
func (s State) Alive() bool {
	return s.Status == Running || s.Status == Paused || s.Status == Restarting
}

// LostExitCode is the exit code of a container whose end nobody saw.
// Compat(moby): the same.
const LostExitCode = 255

// boot names this boot of the machine.
var boot = sync.OnceValue(func() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "" // without proc: locks alone tell
	}
	return strings.TrimSpace(string(id))
})

// State reads what became of the container. One that is said to run without a
// supervisor has exited: the machine was started anew, or the supervisor and its
// keeper were killed; what they left ends by it, see [Store.MendBy]. ErrNotExist: it
// has been removed, or is not whole yet.
func (c *Container) State() (State, error) {
	if c.store.mend != nil && c.left() {
		return c.mended()
	}
	return c.seen()
}

// seen is the state for those who clean up nothing.
func (c *Container) seen() (State, error) {
	s, err := c.readState()
	if err != nil || !s.Alive() || s.Boot == boot() && c.Supervised() {
		return s, err
	}
	// A supervisor writes how it ended before it unlocks.
	if s, err = c.readState(); err != nil || !s.Alive() {
		return s, err
	}
	return c.lost(s), nil
}

func (c *Container) readState() (State, error) {
	var s State
	data, err := os.ReadFile(c.path(stateFile))
	if errors.Is(err, os.ErrNotExist) {
		return s, &NotFoundError{c.Config.ID}
	}
	if err != nil {
		return s, err
	}
	if json.Unmarshal(data, &s) != nil {
		s = State{Status: Exited, ExitCode: LostExitCode, Error: "how it ended was lost, by a power failure perhaps"}
	}
	return s, nil
}

// SupervisorKilled is the error of a container whose end nobody saw.
const SupervisorKilled = "its supervisor was killed"

// lost is the state of a container whose supervisor has gone.
func (c *Container) lost(s State) State {
	reason := SupervisorKilled
	if s.Boot != boot() {
		reason = "the machine was started anew"
	}
	s.Status, s.Pid, s.ExitCode, s.Error = Exited, 0, LostExitCode, reason
	if fi, err := os.Stat(c.path(stateFile)); err == nil {
		s.FinishedAt = fi.ModTime().UTC() // the last that is known of it
	}
	if s.Health != nil {
		s.Health.Status = Unhealthy
	}
	return s
}

// SetState writes what became of the container, for its supervisor, or for
// whoever has it locked when it has none. A container that is being removed
// stays so.
func (c *Container) SetState(s State) error {
	if _, err := os.Lstat(c.path(stateFile)); err != nil {
		return &NotFoundError{c.Config.ID}
	}
	return c.writeState(s)
}

func (c *Container) writeState(s State) error {
	s.Boot = boot()
	data, err := json.Marshal(s)
	if err == nil {
		err = statefile.Replace(c.path(stateFile), data)
	}
	if err != nil {
		return fmt.Errorf("writing the state of container %s: %w", c.Config.ID, err)
	}
	return nil
}
