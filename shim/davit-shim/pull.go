package main

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/image/source"
	"github.com/davit-containers/davit/bundle/progress"
	"github.com/davit-containers/davit/bundle/store"
)

// pullCommand is davit-shim pull.
func (p *program) pullCommand() *cobra.Command {
	var t transfer
	cmd := &cobra.Command{
		Use:   "pull SOURCE [NAME]",
		Short: "fetch an image",
		Long: `Fetches an image from a registry, an archive or an OCI image layout. A name
without a host is Docker's: busybox is docker.io/library/busybox:latest. What
is in an archive or a layout keeps the name that it has there, or gets NAME. Every
blob is verified. A download that was interrupted goes on where it was.

Registries may have mirrors, certificates and plain http in
/etc/davit/registries.json; credentials are those of docker login.`,
		Args: between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return p.pull(cmd.Context(), t, args) },
	}
	t.addPlatform(cmd)
	t.addUnpack(cmd)
	t.addProgress(cmd)
	return cmd
}

func (p *program) pull(ctx context.Context, t transfer, args []string) error {
	at, err := image.ParseLocation(args[0])
	if err != nil {
		return err
	}
	var given []image.Name
	if len(args) > 1 {
		n, err := image.ParseName(args[1])
		if err != nil {
			return err
		}
		given = []image.Name{n}
	}
	s, err := p.store()
	if err != nil {
		return err
	}
	var all []added
	err = p.watch(t, func(report progress.Func) error {
		all, err = fetch(ctx, s, at, t, given, report)
		return err
	})
	if err != nil {
		return fmt.Errorf("pulling %s: %w", args[0], err)
	}
	for _, a := range all {
		p.printPulled(t, a)
	}
	return nil
}

// fetch brings what is at a location into the store.
func fetch(ctx context.Context, s *store.Store, at image.Location, t transfer, given []image.Name, report progress.Func) ([]added, error) {
	report(progress.Event{Phase: progress.Resolving, Layer: at.String()})
	o, err := t.sourceOptions(report)
	if err != nil {
		return nil, err
	}
	images, err := source.Open(ctx, at, o)
	if err != nil {
		return nil, err
	}
	defer images.Close()
	if given != nil {
		if len(images.Found) != 1 {
			return nil, fmt.Errorf("there are %d images in it, for one name", len(images.Found))
		}
		images.Found[0].Names = given
	}
	return add(ctx, s, images.Found, t, report)
}

// printPulled says what has come.
// Compat(moby): its words.
func (p *program) printPulled(t transfer, a added) {
	called := a.ID().String()
	if len(a.names) > 0 {
		called = a.names[0].String()
	}
	if !t.quiet {
		fmt.Fprintf(p.out, "Digest: %s\n", served(a))
		if a.known {
			fmt.Fprintf(p.out, "Status: Image is up to date for %s\n", familiar(a))
		} else {
			fmt.Fprintf(p.out, "Status: Downloaded newer image for %s\n", familiar(a))
		}
	}
	fmt.Fprintln(p.out, called)
}

// served is the digest that the image has where it came from: that of an index,
// if it came through one.
func served(a added) v1.Hash {
	for _, name := range a.Digests {
		if h, ok := name.Digest(); ok && len(a.names) > 0 && name.Repository() == a.names[0].Repository() {
			return h
		}
	}
	return a.Descriptor().Digest
}

// familiar is what a person calls an image that has come.
func familiar(a added) string {
	if len(a.names) > 0 {
		return a.names[0].Familiar()
	}
	return a.ID().String()
}
