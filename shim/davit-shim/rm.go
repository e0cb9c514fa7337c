package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/assembly"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/supervise"
)

// disposal has the flags of davit-shim rm.
type disposal struct{ force, volumes bool }

// rmCommand is davit-shim rm.
func (p *program) rmCommand() *cobra.Command {
	var d disposal
	cmd := &cobra.Command{
		Use:   "rm CONTAINER...",
		Short: "remove containers",
		Long: `Removes containers with all that was written in them; one that runs is removed with
--force alone, also where its supervisor does not answer. Volumes stay, unless
--volumes says that those which nobody named go too. What a call that was killed left
of containers is removed at this occasion.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if d.force {
				return nil
			}
			return atLeast(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return p.rm(cmd.Context(), d, args) },
	}
	cmd.Flags().BoolVarP(&d.force, "force", "f", false, "kill a container that runs; one that is not there is no error")
	cmd.Flags().BoolVarP(&d.volumes, "volumes", "v", false, "remove the anonymous volumes too")
	return cmd
}

func (p *program) rm(ctx context.Context, d disposal, refs []string) error {
	s, err := p.containers()
	if err != nil {
		return err
	}
	swept, err := assembly.Sweep(ctx, s)
	errs := []error{err}
	for _, ref := range refs {
		err := p.remove(ctx, d, s, ref)
		left := slices.ContainsFunc(swept, func(c container.Config) bool { return c.Name == ref || c.ID == ref })
		if errors.Is(err, container.ErrNotExist) && (d.force || left) {
			err = nil
			if !left {
				continue
			}
		}
		if err == nil {
			_, err = fmt.Fprintln(p.out, ref)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (p *program) remove(ctx context.Context, d disposal, s *container.Store, ref string) error {
	c, err := s.Find(ref)
	if err != nil {
		return err
	}
	return p.dispose(ctx, d, c)
}

// answerTime is how long a supervisor has to end its container by force.
// Compat(moby): the time that a kill has there.
const answerTime = 10 * time.Second

// end kills a container, if it runs, and waits until nothing is left of it. A
// supervisor that does not answer is killed, with its keeper.
func (p *program) end(ctx context.Context, c *container.Container) error {
	bounded, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	err := stop(bounded, c, supervise.StopOptions{Signal: unix.SIGKILL})
	if err == nil || bounded.Err() == nil || ctx.Err() != nil {
		return err
	}
	fmt.Fprintf(p.err, "%s: warning: the supervisor of container %s has not answered for %s, and is killed\n", name, c.Config.Name, answerTime)
	return supervise.Destroy(c)
}

// dispose removes one container.
func (p *program) dispose(ctx context.Context, d disposal, c *container.Container) error {
	before := finished
	if d.force {
		before = p.end
	}
	if err := before(ctx, c); err != nil {
		return err
	}
	l, err := c.Lock()
	if errors.Is(err, container.ErrNotExist) && d.force {
		return nil // it was to be removed at its end
	}
	if err != nil {
		return err
	}
	defer l.Unlock()
	if err := removable(l.Container); err != nil {
		return err
	}
	if err := assembly.Remove(ctx, l, assembly.Anonymous(d.volumes)); err != nil {
		return err
	}
	note(l.Container, "destroy", nil)
	return nil
}

// finished waits until nothing is left to be done of a container that has ended.
func finished(ctx context.Context, c *container.Container) error {
	if err := removable(c); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if err := settled(bounded, c); bounded.Err() == nil {
		return err
	}
	return ctx.Err() // whoever removes it says that it is supervised
}

// removable tells why a container cannot be removed.
// Compat(moby): its words.
func removable(c *container.Container) error {
	state, err := c.State()
	if err != nil {
		return err
	}
	how := map[container.Status]string{
		container.Running: "a running", container.Paused: "a paused", container.Restarting: "a restarting",
	}[state.Status]
	if how == "" {
		return nil
	}
	return fmt.Errorf("You cannot remove %s container %s. Stop the container before attempting removal or force remove", how, c.Config.ID)
}
