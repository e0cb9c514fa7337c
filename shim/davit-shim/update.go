package main

import (
	"context"
	"encoding/json"
	"errors"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/assembly"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/options"
	"github.com/davit-containers/davit/shim/supervise"
)

// updates has the flags of davit-shim update.
type updates struct {
	limits  options.Update
	restart string
}

// updateCommand is davit-shim update.
func (p *program) updateCommand() *cobra.Command {
	var u updates
	cmd := &cobra.Command{
		Use:   "update CONTAINER...",
		Short: "change the limits of containers, and when they are started again",
		Long: `Changes what the flags say, and leaves the rest as it is: of containers that run at
once, of others from their next start on.`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().NFlag() == 0 {
				return misuse(cmd, "there is nothing to change")
			}
			r, err := u.limits.Resources()
			if err != nil {
				return err
			}
			return p.each(args, func(c *container.Container) error { return u.update(cmd.Context(), c, r) })
		},
	}
	u.limits.Add(cmd.Flags())
	cmd.Flags().StringVar(&u.restart, "restart", "", "when to start the container again: `POLICY` is no, always, unless-stopped, or on-failure[:TIMES]")
	return cmd
}

// update changes one container: what runs, then what is on disk, which is left as
// it was where the first fails.
func (u updates) update(ctx context.Context, c *container.Container, r specs.LinuxResources) error {
	l, err := c.Lock()
	if err != nil {
		return err
	}
	defer l.Unlock()
	if err := updateRunning(ctx, l.Container, r); err != nil {
		return err
	}
	if err := assembly.Limit(l.Container, r); err != nil {
		return err
	}
	if u.restart != "" {
		policy, err := options.Restart(u.restart)
		if err == nil && l.Config.AutoRemove && policy.Name != container.RestartNo {
			err = errors.New("Restart policy cannot be updated because AutoRemove is enabled for the container") // Compat(moby): its words
		}
		if err == nil {
			err = l.Change(func(c *container.Config) { c.Restart = policy })
		}
		if err != nil {
			return err
		}
	}
	note(l.Container, "update", nil)
	return nil
}

// updateRunning changes the limits of a container that runs.
func updateRunning(ctx context.Context, c *container.Container, r specs.LinuxResources) error {
	data, err := json.Marshal(r)
	if err != nil || string(data) == "{}" {
		return err
	}
	client, err := supervise.Dial(c)
	if errors.Is(err, supervise.ErrNotRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Update(ctx, data)
}
