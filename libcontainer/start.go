package libcontainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/hook"
	"github.com/davit-containers/davit/libcontainer/internal/object"
	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/plan"
	"github.com/davit-containers/davit/libcontainer/spec"
)

// Start runs the program of a created container, and the poststart hooks.
// When it returns without an error the program has been executed.
// Spec: runtime.md#start
func (c *Container) Start() error {
	var talk *conversation
	t := c.runtime.Trace
	err := t.Do("talking to the stage", func() (err error) {
		talk, err = c.beginStart()
		return err
	})
	if err != nil {
		return err
	}
	defer talk.control.Close()
	err = t.Do("awaiting the program's execution", talk.awaitExec)
	c.reportStart()
	if err == nil {
		err = t.Do("running poststart hooks", c.poststart)
	}
	if err != nil {
		c.awaitFailed()
	}
	return err
}

// awaitFailed waits until the process of a container that could not be started has
// ended, which it is about to.
// Compat(moby): at a failed start it deletes the task, once; as long as that has not
// stopped, this fails, and the shim stays.
func (c *Container) awaitFailed() {
	pidfd, err := sys.PidfdOpenAt(c.state.Pid, c.state.PidStart)
	if err != nil {
		return
	}
	defer pidfd.Close()
	_, _ = sys.PidfdPoll(pidfd, killTimeout)
}

// reportStart adds the stage's last steps to the trace.
func (c *Container) reportStart() {
	clock := c.clock
	if clock == nil {
		clock = c.openClock()
		defer clock.close()
	}
	clock.report(c.runtime.Trace)
}

// beginStart tells the stage to go on: by the word for which a stage of this
// process waits, or through the socket on which it listens.
func (c *Container) beginStart() (*conversation, error) {
	if talk := c.starter; talk != nil {
		c.starter = nil
		return talk, talk.proceed()
	}
	status, err := c.Status()
	if err != nil {
		return nil, err
	}
	if status != Created {
		return nil, c.cannotStart(status)
	}
	return c.connect()
}

func (c *Container) cannotStart(status Status) error {
	if status == Stopped {
		return fmt.Errorf("cannot start a container that has stopped: %w", ErrNotCreated)
	}
	if status == Paused {
		return fmt.Errorf("cannot start a container in the paused state: %w", ErrPaused)
	}
	return fmt.Errorf("cannot start an already running container: %w, it is %s", ErrNotCreated, status)
}

// connect talks to the stage through its socket. The stage hears one caller
// only: who is not accepted came too late.
func (c *Container) connect() (*conversation, error) {
	if len(c.state.StartSteps) == 0 {
		return nil, fmt.Errorf("starting container %s: %w", c.ID(), spec.ValidateProcess(nil))
	}
	if c.startedByCreator() {
		return nil, fmt.Errorf("starting container %s: process %d, which created it, starts it: %w", c.ID(), c.state.CreatorPid, ErrNotCreated)
	}
	control, err := sys.Dial(c.dir.File(), startSocket, unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, fmt.Errorf("connecting to the container: %w", err)
	}
	talk := &conversation{control: control, describe: c.describeStart, warn: c.runtime.warn}
	if err := c.handshake(talk); err != nil {
		control.Close()
		return nil, err
	}
	return talk, nil
}

func (c *Container) handshake(talk *conversation) error {
	err := sys.Send(talk.control, []byte("start"))
	if err == nil {
		_, err = talk.expect("accepted", "")
	}
	if errors.Is(err, errStageDied) || errors.Is(err, unix.EPIPE) {
		return c.cannotStart(Running)
	}
	return err
}

// noStartSteps are kept where no other process starts the container than the
// one that creates it.
const noStartSteps = "{}"

func (c *Container) startedByCreator() bool { return string(c.state.StartSteps) == noStartSteps }

// startSteps keeps the words of the steps that follow the wait for start: a
// failure then is another process's to report. None means that there is
// nothing to start.
func startSteps(p *plan.Plan) ([]byte, error) {
	if !waitsForStart(p) {
		return []byte(noStartSteps), nil
	}
	words := object.NewWriter()
	waiting, found := false, false
	for i := range p.Steps {
		if waiting {
			words.Raw(strconv.Itoa(i), stepWords{p.Steps[i].Op.String(), p.Steps[i].Doing}.encode())
			found = true
		}
		waiting = waiting || p.Steps[i].Op == plan.OpAwaitStart
	}
	if !found {
		return nil, nil
	}
	return words.Close(), nil
}

func waitsForStart(p *plan.Plan) bool {
	return slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.Op == plan.OpAwaitStart })
}

// describeStart finds the words that startSteps kept.
func (c *Container) describeStart(step int) (stepWords, bool) {
	words := map[int]stepWords{}
	if err := json.Unmarshal(c.state.StartSteps, &words); err != nil {
		return stepWords{}, false
	}
	w, ok := words[step]
	return w, ok
}

// poststart runs the poststart hooks; a container whose hooks fail is stopped.
// Spec: runtime.md#lifecycle step 9
func (c *Container) poststart() error {
	s, err := c.config()
	if err != nil {
		return err
	}
	list := hooks(s).Poststart
	if len(list) == 0 {
		return nil
	}
	state, err := hookState(c.state, specs.StateRunning, c.state.Pid)
	if err == nil {
		err = hook.Run(context.Background(), "poststart", list, state, hook.Options{Dir: c.state.Bundle, Env: c.runtime.HookEnv})
	}
	if err != nil {
		c.Signal(unix.SIGKILL)
	}
	return err
}
