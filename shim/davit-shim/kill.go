package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/container"
)

// killCommand is davit-shim kill.
func (p *program) killCommand() *cobra.Command {
	var text string
	cmd := &cobra.Command{
		Use:   "kill CONTAINER...",
		Short: "send containers a signal",
		Long: `Sends a signal to the first process of each container, SIGKILL by default. A
container that ends by one that asks for its end is not started again by its restart
policy.`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sig, err := signalOf(text)
			if err != nil {
				return err
			}
			return p.each(args, func(c *container.Container) error { return kill(cmd.Context(), c, sig) })
		},
	}
	cmd.Flags().StringVarP(&text, "signal", "s", "KILL", "send `SIGNAL`, a name or a number")
	return cmd
}

// kill sends a signal to a container that runs; one that it ends is down when kill
// returns.
// Compat(moby): its words.
func kill(ctx context.Context, c *container.Container, sig unix.Signal) error {
	client, err := running(c)
	if err != nil {
		return fmt.Errorf("Cannot kill container: %s: %w", c.Config.Name, err)
	}
	defer client.Close()
	if err := client.Kill(ctx, sig); err != nil {
		return fmt.Errorf("Cannot kill container: %s: %w", c.Config.Name, err)
	}
	note(c, "kill", map[string]string{"signal": fmt.Sprint(int(sig))})
	if sig == unix.SIGKILL {
		_, err = client.Wait(ctx)
	}
	return err
}
