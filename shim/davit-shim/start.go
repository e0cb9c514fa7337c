package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/assembly"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/supervise"
)

// begin starts a container that is locked, and was made before, or has ended. It is
// unlocked where that fails.
func begin(ctx context.Context, l *container.Locked, o supervise.StartOptions) (*supervise.Client, error) {
	if !l.Supervised() {
		if err := assembly.CleanUp(ctx, l.Container); err != nil { // of a supervisor that was killed
			return nil, err
		}
	}
	return launch(ctx, l, o)
}

// launch is begin for a container that never had a supervisor.
func launch(ctx context.Context, l *container.Locked, o supervise.StartOptions) (*supervise.Client, error) {
	client, err := supervise.Start(ctx, l.Container, o)
	var failed *supervise.StartError
	if errors.As(err, &failed) {
		l.Unlock()
		return nil, errors.Join(statusError{failed, failed.ExitCode()}, settled(ctx, l.Container), discard(ctx, l.Container))
	}
	return client, err
}

// discard removes a container that was to be removed at its end, which it never had:
// its supervisor could not begin.
func discard(ctx context.Context, c *container.Container) error {
	if !c.Config.AutoRemove {
		return nil
	}
	l, err := c.Lock()
	if errors.Is(err, container.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer l.Unlock()
	if l.Supervised() {
		return nil
	}
	return assembly.Remove(ctx, l, assembly.RemoveVolumes)
}

// settled waits until nothing is left to be done of a container that has ended.
func settled(ctx context.Context, c *container.Container) error {
	client, err := supervise.Dial(c)
	if errors.Is(err, supervise.ErrNotRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	defer client.Close()
	return client.End(ctx)
}

// starting has the flags of davit-shim start.
type starting struct {
	attach, interactive, sigProxy bool
	detachKeys                    string
}

// startCommand is davit-shim start.
func (p *program) startCommand() *cobra.Command {
	var s starting
	cmd := &cobra.Command{
		Use:   "start CONTAINER...",
		Short: "start containers that were made, or have ended",
		Long: `Starts containers; one that runs already is no error. With --attach, what the
container writes comes here until it ends, and the exit status is its own.`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !s.attach && !s.interactive {
				return p.each(args, func(c *container.Container) error { return start(cmd.Context(), c) })
			}
			if len(args) > 1 {
				return errors.New("you cannot start and attach multiple containers at once") // Compat(moby): its words
			}
			return p.startHere(cmd.Context(), s, args[0])
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&s.attach, "attach", "a", false, "bring the container's output here, and pass signals on")
	fs.BoolVarP(&s.interactive, "interactive", "i", false, "pass standard input on, if the container was made with -i")
	fs.BoolVar(&s.sigProxy, "sig-proxy", true, "pass signals on to the program")
	fs.StringVar(&s.detachKeys, "detach-keys", "", "leave the container running when `KEYS` are typed (default is the container's)")
	return cmd
}

// startHere starts a container with its streams connected to ours.
func (p *program) startHere(ctx context.Context, s starting, ref string) error {
	c, err := p.container(ref)
	if err != nil {
		return err
	}
	stdin := s.interactive && c.Config.Interactive
	if err := p.checkTerminal(stdin, c.Config.Terminal); err != nil {
		return err
	}
	l, err := c.Lock()
	if err != nil {
		return err
	}
	defer l.Unlock()
	state, err := l.State()
	if err == nil && state.Alive() {
		err = supervise.ErrRuns
	}
	var client *supervise.Client
	if err == nil {
		client, err = begin(ctx, l, supervise.StartOptions{Attach: true})
	}
	if errors.Is(err, supervise.ErrRuns) {
		return fmt.Errorf("container %s runs already [%s attach %s]", ref, name, ref)
	}
	if err != nil {
		return err
	}
	defer client.Close()
	l.Unlock()
	return p.foreground(ctx, client, l.Container, attachment{
		stdin: stdin, stdout: true, stderr: true, signals: s.sigProxy, detachKeys: s.detachKeys, first: true,
	})
}

// start starts a container, if it does not run.
func start(ctx context.Context, c *container.Container) error {
	l, err := c.Lock()
	if err != nil {
		return err
	}
	defer l.Unlock()
	state, err := l.State()
	if err != nil || state.Status == container.Running {
		return err
	}
	if state.Status == container.Paused {
		return fmt.Errorf("cannot start a paused container, try unpause instead") // Compat(moby): its words
	}
	client, err := begin(ctx, l, supervise.StartOptions{})
	if errors.Is(err, supervise.ErrRuns) {
		return nil
	}
	if err != nil {
		return err
	}
	client.Close()
	return nil
}

// restartCommand is davit-shim restart.
func (p *program) restartCommand() *cobra.Command {
	var s stopping
	cmd := &cobra.Command{
		Use:   "restart CONTAINER...",
		Short: "stop containers, and start them again",
		Long:  `Stops each container, as stop does, and starts it again; one that does not run is started.`,
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := s.options()
			if err != nil {
				return err
			}
			return p.each(args, func(c *container.Container) error {
				if err := stop(cmd.Context(), c, o); err != nil {
					return err
				}
				return start(cmd.Context(), c)
			})
		},
	}
	s.add(cmd)
	return cmd
}
