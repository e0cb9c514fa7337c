package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/bundledir"
)

// removal has the flags of davit-shim rmi.
type removal struct{ force bool }

// rmiCommand is davit-shim rmi.
func (p *program) rmiCommand() *cobra.Command {
	var r removal
	cmd := &cobra.Command{
		Use:   "rmi IMAGE...",
		Short: "remove images",
		Long: `A name is taken from its image; with its last name the image goes, and with it
the layers that no other image or bundle needs. An ID stands for all names. An
image of which a bundle was made stays until the bundle is removed.`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.rmi(cmd.Context(), r, args) },
	}
	cmd.Flags().BoolVarP(&r.force, "force", "f", false, "remove an image by its ID although it has several names; what is not there is no error")
	return cmd
}

// rmi removes each image that it can, and fails if there was one that it could not.
func (p *program) rmi(ctx context.Context, r removal, refs []string) error {
	s, err := p.store()
	if err != nil {
		return err
	}
	if err := releaseGone(s); err != nil {
		return err
	}
	var errs []error
	for _, ref := range refs {
		removed, err := s.Remove(ctx, ref, r.force)
		if r.force && errors.Is(err, image.ErrNotFound) {
			continue
		}
		errs = append(errs, where(s, err))
		if err == nil {
			p.printRemoved(removed)
		}
	}
	_, err = s.Collect(ctx)
	return errors.Join(append(errs, err)...)
}

// printRemoved says what became of an image.
// Compat(moby): its words.
func (p *program) printRemoved(r store.Removed) {
	for _, n := range r.Untagged {
		fmt.Fprintf(p.out, "Untagged: %s\n", n.Familiar())
	}
	if r.Deleted {
		fmt.Fprintf(p.out, "Deleted: %s\n", r.ID)
	}
}

// releaseGone ends the holds of bundles that were removed by other means.
func releaseGone(s *store.Store) error {
	holds, err := s.Holds()
	if err != nil {
		return err
	}
	for _, h := range holds {
		if bundledir.Gone(h.Name) {
			err = errors.Join(err, s.Release(h.Name))
		}
	}
	return err
}

// where says which bundles an image is kept for, in place of their holds' names.
func where(s *store.Store, err error) error {
	if !errors.Is(err, store.ErrInUse) {
		return err
	}
	holds, _ := s.Holds()
	text := err.Error()
	for _, h := range holds {
		if dir := bundledir.At(h.Name); dir != "" {
			text = strings.ReplaceAll(text, h.Name, "bundle "+dir)
		}
	}
	return errors.New(text + " [davit-shim bundle --remove DIR]")
}
