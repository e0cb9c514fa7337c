package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/volume"
)

// volumeRemoveCommand is davit-shim volume rm.
func (p *program) volumeRemoveCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "rm VOLUME...",
		Aliases: []string{"remove"},
		Short:   "remove volumes",
		Long:    `Removes volumes, with their files. One that a container has stays.`,
		Args:    atLeast(1),
		RunE:    func(_ *cobra.Command, args []string) error { return p.volumeRemove(args, force) },
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "what is not there is no error")
	return cmd
}

// volumeRemove removes each volume that it can, and fails if there was one that it could not.
func (p *program) volumeRemove(refs []string, force bool) error {
	s, err := p.volumes()
	if err != nil {
		return err
	}
	var errs []error
	for _, ref := range refs {
		v, err := s.Get(ref)
		if err == nil {
			err = s.Remove(ref)
		}
		if force && errors.Is(err, volume.ErrNotExist) {
			continue
		}
		errs = append(errs, volumeError(v, ref, err))
		if err == nil {
			p.note(volumeEvent("destroy", v))
			fmt.Fprintln(p.out, v.Name)
		}
	}
	return errors.Join(errs...)
}
