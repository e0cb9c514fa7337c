package supervise

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/keeper"
	"github.com/davit-containers/davit/shim/protobuf"
	"github.com/davit-containers/davit/shim/rootless"
)

// Command is the hidden command of the program that is a supervisor: its arguments
// are the container's directory, and "awaited" where a client is going to read the
// output from its beginning.
const (
	Command = "supervise"
	Awaited = "awaited"
)

// StartOptions say how a container is to be started.
type StartOptions struct {
	Attach bool // Attach will be called: what is written before that is held for it
}

// ErrRuns is that a container runs already.
var ErrRuns = errors.New("the container runs already")

// Start starts the container that the caller has locked, and waits until it runs.
// The supervisor is this program, by its Command.
//
// Errors: ErrRuns; *StartError, while the supervisor still cleans up, and removes what
// is to be removed at its end, for which it locks it. The client is nil with any error.
func Start(ctx context.Context, c *container.Container, o StartOptions) (*Client, error) {
	lock, err := free(ctx, c)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	before, err := c.State()
	if err != nil {
		return nil, err
	}
	started, err := c.Store().Starting()
	if err != nil {
		return nil, err
	}
	defer started()
	client, err := launch(c, lock, o)
	if err != nil {
		return nil, fmt.Errorf("starting the supervisor of container %s: %w", c.Config.ID, err)
	}
	lock.Close() // it is the keeper's
	if err := client.ready(ctx, before.StartedAt); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// free locks the supervisor's file. There may be a supervisor that is about to end, or
// one of which the program that started it was killed. One that removes the container
// at its end waits for the caller.
func free(ctx context.Context, c *container.Container) (*os.File, error) {
	lock, err := c.Supervise()
	if !errors.Is(err, container.ErrSupervised) {
		return lock, err
	}
	if err := ended(ctx, c); err != nil && !errors.Is(err, ErrNotRunning) {
		return nil, err
	}
	if c.Config.AutoRemove {
		return nil, fmt.Errorf("container %s is being removed", c.Config.ID)
	}
	return c.SuperviseNext()
}

// ended waits until a container has ended that may be about to start. ErrRuns: it runs.
func ended(ctx context.Context, c *container.Container) error {
	client, err := Dial(c)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.call(ctx, methodReady, &protobuf.Empty{}, &readyReply{}); err != nil {
		return err
	}
	s, err := c.State()
	if err == nil && s.Alive() {
		err = ErrRuns
	}
	return err
}

// launch starts a keeper, which starts the supervisor. The client is connected
// before: the container may have ended, and the supervisor with it, before this
// program does anything else.
func launch(c *container.Container, lock *os.File, o StartOptions) (*Client, error) {
	listener, err := listen(c)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	client, err := Dial(c)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		client.Close()
		return nil, err
	}
	args := []string{Command, c.Dir()}
	if o.Attach {
		args = append(args, Awaited)
	}
	pid, err := keeper.Start(keeper.Launch{
		Program: self, Args: args, Env: environment(), Dir: "/", Listener: listener, Lock: lock, Exits: filepath.Join(c.Run(), exitsName),
	})
	if err == nil {
		err = noteProcess(c, pid)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// noteProcess notes the keeper, or the first process, of a user's container, whose user
// namespace others of his programs are to join. It may have ended already.
func noteProcess(c *container.Container, pid int) error {
	err := rootless.Note(container.Notes(c.Store().Root()), pid)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// environment is the supervisor's: the caller's, with what Go's runtime reads
// before main. Few threads are memory.
func environment() []string {
	env := []string{"GOMAXPROCS=2"}
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); name != "GOMAXPROCS" {
			env = append(env, e)
		}
	}
	return env
}
