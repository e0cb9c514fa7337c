package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/bundledir"
	"github.com/davit-containers/davit/shim/container"
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
image of which a container or a bundle was made stays until that is removed.`,
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

// where says which containers and bundles an image is kept for, in place of their
// holds' names.
func where(s *store.Store, err error) error {
	if !errors.Is(err, store.ErrInUse) {
		return err
	}
	holds, _ := s.Holds()
	text, hint := err.Error(), "davit-shim bundle --remove DIR"
	for _, h := range holds {
		dir := bundledir.At(h.Name)
		if dir == "" || !strings.Contains(text, h.Name) {
			continue
		}
		user := "bundle " + dir
		if c, err := container.OpenDir(filepath.Dir(dir)); err == nil {
			user, hint = "container "+c.Config.Name, "davit-shim rm "+c.Config.Name
		}
		text = strings.ReplaceAll(text, h.Name, user)
	}
	return errors.New(text + " [" + hint + "]")
}
