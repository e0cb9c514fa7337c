package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/supervise"
)

// waitCommand is davit-shim wait.
func (p *program) waitCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "wait CONTAINER...",
		Short: "wait for the end of containers, and print their exit statuses",
		Args:  atLeast(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return p.wait(cmd.Context(), args) },
	}
}

func (p *program) wait(ctx context.Context, refs []string) error {
	s, err := p.containers()
	if err != nil {
		return err
	}
	var errs []error
	for _, ref := range refs {
		c, err := s.Find(ref)
		code := 0
		if err == nil {
			code, err = waitFor(ctx, c)
		}
		if err == nil {
			_, err = fmt.Fprintln(p.out, code)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// waitFor is the exit status of a container, when it has ended.
func waitFor(ctx context.Context, c *container.Container) (int, error) {
	client, err := supervise.Dial(c)
	if errors.Is(err, supervise.ErrNotRunning) {
		state, err := c.State()
		return state.ExitCode, err
	}
	if err != nil {
		return 0, err
	}
	defer client.Close()
	return client.Wait(ctx)
}
