package supervise

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/loop"
	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/ttrpc"
)

// ErrNotRunning is that a container has no supervisor: it does not run, and is not
// about to be started again.
var ErrNotRunning = errors.New("container is not running")

// Client speaks to a container's supervisor. Its methods may be called by several
// goroutines. One whose supervisor was killed finds the next.
type Client struct {
	c      *container.Container
	loop   *loop.Loop
	conn   *ttrpc.Client
	reader string
	lost   int // how often in a row the connection has ended without an answer
	ended  chan struct{}
	exits  sync.Map // the statuses that came with the end of outputs, by process
}

// Dial connects to the supervisor. ErrNotRunning: there is none.
func Dial(c *container.Container) (*Client, error) {
	l, err := loop.New()
	if err != nil {
		return nil, err
	}
	client := &Client{c: c, loop: l, reader: newID(), ended: make(chan struct{})}
	if err := client.dial(); err != nil {
		return nil, err
	}
	go func() {
		l.Run()
		close(client.ended)
	}()
	return client, nil
}

// Close ends the connection. What is under way fails.
func (c *Client) Close() {
	c.loop.Post(func() {
		if c.conn != nil {
			c.conn.Close()
		}
		c.loop.Stop()
	})
	<-c.ended
}

// dial belongs to the loop, as all that is not exported.
func (c *Client) dial() error {
	var conn *ttrpc.Client
	path, done, err := socketPath(c.c)
	if errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("container %s: %w", c.c.Config.ID, ErrNotRunning)
	}
	if err != nil {
		return err
	}
	defer done()
	conn, err = ttrpc.Dial(c.loop, path, func(error) {
		if c.conn == conn {
			c.conn = nil
		}
	})
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("container %s: %w", c.c.Config.ID, ErrNotRunning)
	}
	if err != nil {
		return err
	}
	c.conn = conn
	return nil
}

// maxLost is after how many supervisors that have died of a call it is given up.
const maxLost = 10

// request is a call to be made.
type request struct {
	service, method string
	m, reply        protobuf.Message
	once            bool // it must not be made again where it may have been heard
	done            chan error
}

// try makes a call. When the connection ends before the answer, the supervisor was
// killed, and its keeper starts another.
func (c *Client) try(r *request) {
	if c.conn == nil {
		if err := c.dial(); err != nil {
			r.done <- err
			return
		}
	}
	conn := c.conn
	conn.Call(r.service, r.method, r.m, func(data []byte, err error) {
		var status *ttrpc.Status
		if errors.As(err, &status) && status.Code == ttrpc.Unavailable {
			if c.conn == conn {
				c.conn = nil
			}
			if c.lost++; c.lost < maxLost && !r.once {
				c.loop.Post(func() { c.try(r) })
				return
			}
		} else {
			c.lost = 0
		}
		if err == nil && r.reply != nil {
			err = protobuf.Unmarshal(data, r.reply)
		}
		r.done <- err
	})
}

func (c *Client) do(ctx context.Context, r *request) error {
	r.done = make(chan error, 1)
	c.loop.Post(func() { c.try(r) })
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ended:
		return errors.New("the client was closed")
	}
}

func (c *Client) call(ctx context.Context, method string, m, reply protobuf.Message) error {
	return c.do(ctx, &request{service: service, method: method, m: m, reply: reply})
}

// taskService is the task service's name.
const taskService = "containerd.task.v3.Task"

func (c *Client) task(ctx context.Context, method string, m, reply protobuf.Message) error {
	return c.do(ctx, &request{service: taskService, method: method, m: m, reply: reply})
}

// StartError is why a container could not be started.
type StartError struct{ Text string }

// Error is the cause.
func (e *StartError) Error() string { return e.Text }

// ExitCode is the exit status of whoever wanted to start it.
// Compat(moby): 127 for a program that is not there, 126 for one that cannot be
// invoked, 125 for all else.
func (e *StartError) ExitCode() int {
	if code := exitCodeOf(e.Text); code != otherFailure {
		return code
	}
	return 125
}

// ready waits until the container runs, or has run since it did last. *StartError: it
// could not be started.
func (c *Client) ready(ctx context.Context, last time.Time) error {
	r := readyReply{}
	err := c.call(ctx, methodReady, &protobuf.Empty{}, &r)
	if errors.Is(err, ErrNotRunning) {
		r.Error, err = c.notReady(last)
	}
	if err != nil {
		return err
	}
	if r.Error != "" {
		return &StartError{r.Error}
	}
	return nil
}

// notReady is why the container did not start, of which there is no supervisor any
// more; "" where it has run.
func (c *Client) notReady(last time.Time) (string, error) {
	s, err := c.c.State()
	if err == nil && s.Error == "" && !s.StartedAt.After(last) {
		return container.SupervisorKilled, nil
	}
	return s.Error, err
}

// Wait waits for the container's end, and tells its exit status. What it wrote is
// in the log then, and its network is gone; it is removed after that, where it is
// to be.
func (c *Client) Wait(ctx context.Context) (int, error) {
	if status, known := c.exits.Load(""); known {
		return status.(int), nil
	}
	r := waitReply{}
	err := c.call(ctx, methodWait, &waitRequest{}, &r)
	if errors.Is(err, ErrNotRunning) {
		return c.lastStatus()
	}
	return int(r.Status), err
}

// lastStatus is what the last supervisor wrote before it ended.
func (c *Client) lastStatus() (int, error) {
	s, err := c.c.State()
	return s.ExitCode, err
}

// End waits until all of the container is cleaned up, and it is removed where it is
// to be.
func (c *Client) End(ctx context.Context) error {
	err := c.call(ctx, methodEnd, &protobuf.Empty{}, nil)
	if errors.Is(err, ErrNotRunning) {
		return nil
	}
	return err
}

// StopOptions say how a container is to end.
type StopOptions struct {
	Signal  unix.Signal    // 0: the container's own
	Timeout *time.Duration // nil: the container's own; below 0: it is never killed
}

// Stop ends the container, and has it not started again.
func (c *Client) Stop(ctx context.Context, o StopOptions) error {
	m := stopRequest{Signal: uint32(o.Signal), Default: o.Timeout == nil}
	if o.Timeout != nil {
		m.Timeout = o.Timeout.Milliseconds()
	}
	err := c.call(ctx, methodStop, &m, nil)
	if errors.Is(err, ErrNotRunning) {
		return nil
	}
	return err
}

// Kill sends a signal to the container's first process.
func (c *Client) Kill(ctx context.Context, sig unix.Signal) error {
	return c.task(ctx, "Kill", &api.KillRequest{ID: c.c.Config.ID, Signal: uint32(sig)}, nil)
}

// Pause stops all processes of the container, Resume lets them go on.
func (c *Client) Pause(ctx context.Context) error {
	return c.task(ctx, "Pause", &api.PauseRequest{ID: c.c.Config.ID}, nil)
}

// Resume lets the container's processes go on.
func (c *Client) Resume(ctx context.Context) error {
	return c.task(ctx, "Resume", &api.ResumeRequest{ID: c.c.Config.ID}, nil)
}

// KeepStill stops all processes of the container, if it runs, while this client reads
// its files: until LetGo, or the end of the connection.
//
// ErrNoCgroup: it cannot be stopped.
func (c *Client) KeepStill(ctx context.Context) error {
	err := c.call(ctx, methodStill, &protobuf.Empty{}, nil)
	if err != nil && strings.HasSuffix(err.Error(), ErrNoCgroup.Error()) {
		return ErrNoCgroup
	}
	return err
}

// ErrNoCgroup is libcontainer's, as the supervisor passes it on.
var ErrNoCgroup = errors.New("the container has no cgroup")

// LetGo is the end of KeepStill. One that has ended meanwhile is no error.
func (c *Client) LetGo(ctx context.Context) error {
	err := c.call(ctx, methodLetGo, &protobuf.Empty{}, nil)
	if errors.Is(err, ErrNotRunning) {
		return nil
	}
	return err
}

// Pids are the container's processes.
func (c *Client) Pids(ctx context.Context) ([]int, error) {
	r := api.PidsResponse{}
	err := c.task(ctx, "Pids", &api.PidsRequest{ID: c.c.Config.ID}, &r)
	var pids []int
	for _, p := range r.Processes {
		pids = append(pids, int(p.Pid))
	}
	return pids, err
}

// Update changes the container's limits: resources as the specification has them,
// in JSON.
func (c *Client) Update(ctx context.Context, resources []byte) error {
	return c.task(ctx, "Update", &api.UpdateTaskRequest{ID: c.c.Config.ID, Resources: &protobuf.Any{Value: resources}}, nil)
}

// Resize changes the size of a process's terminal, in characters; "" is the
// container's first.
func (c *Client) Resize(ctx context.Context, exec string, width, height int) error {
	m := api.ResizePtyRequest{ID: c.c.Config.ID, ExecID: exec, Width: uint32(width), Height: uint32(height)}
	return c.task(ctx, "ResizePty", &m, nil)
}

// Process is one that is to run in a container beside its first.
type Process struct {
	Args          []string
	Env           []string // "NAME=VALUE" sets, "NAME" removes
	Dir, User     string   // "" is the container's
	Privileged    bool
	Terminal      bool
	Input, Output bool // AttachOptions.Exec will move them
	Width, Height int  // of the terminal, in characters; 0 where not known
}

// Exec starts a further process, and returns its name for Attach, Resize and
// WaitExec. *StartError: it could not be started.
func (c *Client) Exec(ctx context.Context, p Process) (string, error) {
	m := &execRequest{
		ID: newID(), Process: execProcess{p.Args, p.Env, p.Dir, p.User, p.Privileged},
		Terminal: p.Terminal, Input: p.Input, Output: p.Output, Width: uint32(p.Width), Height: uint32(p.Height),
	}
	err := c.call(ctx, methodExec, m, nil)
	var status *ttrpc.Status
	if errors.As(err, &status) && status.Code != ttrpc.Unavailable {
		err = &StartError{status.Message}
	}
	return m.ID, err
}

// WaitExec waits for the end of a further process whose output is read, and tells
// its exit status.
func (c *Client) WaitExec(ctx context.Context, exec string) (int, error) {
	if status, known := c.exits.Load(exec); known {
		return status.(int), nil
	}
	r := waitReply{}
	err := c.call(ctx, methodWait, &waitRequest{exec}, &r)
	return int(r.Status), err
}
