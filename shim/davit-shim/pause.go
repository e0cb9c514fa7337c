package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/supervise"
)

// pauseCommand is davit-shim pause.
func (p *program) pauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pause CONTAINER...",
		Short: "stop all processes of containers for a while",
		Long:  `Stops all processes of each container by the cgroup's freezer; unpause lets them go on.`,
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.freeze(cmd.Context(), args, (*supervise.Client).Pause)
		},
	}
}

// unpauseCommand is davit-shim unpause.
func (p *program) unpauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unpause CONTAINER...",
		Short: "let processes of containers go on that were paused",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.freeze(cmd.Context(), args, (*supervise.Client).Resume)
		},
	}
}

func (p *program) freeze(ctx context.Context, refs []string, do func(*supervise.Client, context.Context) error) error {
	return p.each(refs, func(c *container.Container) error {
		client, err := running(c)
		if err != nil {
			return err
		}
		defer client.Close()
		return do(client, ctx)
	})
}
