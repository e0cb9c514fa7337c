package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/network"
)

// networkRemoveCommand is davit-shim network rm.
func (p *program) networkRemoveCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "rm NETWORK...",
		Aliases: []string{"remove"},
		Short:   "remove networks",
		Long:    `Removes networks that no running container is in, with their bridges and rules.`,
		Args:    atLeast(1),
		RunE:    func(_ *cobra.Command, args []string) error { return p.networkRemove(args, force) },
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "what is not there is no error")
	return cmd
}

// networkRemove removes each network that it can, and fails if there was one that it could not.
func (p *program) networkRemove(refs []string, force bool) error {
	s, err := p.networks()
	if err != nil {
		return err
	}
	var errs []error
	for _, ref := range refs {
		n, err := s.Find(ref)
		if err == nil {
			err = s.Remove(n.Name)
		}
		if force && errors.Is(err, network.ErrNotExist) {
			continue
		}
		errs = append(errs, networkError(ref, err))
		if err == nil {
			p.note(networkEvent("destroy", n))
			fmt.Fprintln(p.out, n.Name)
		}
	}
	return errors.Join(errs...)
}
