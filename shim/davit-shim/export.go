package main

import (
	"context"
	"errors"
	"io"

	"github.com/moby/sys/userns"
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/diff"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/container"
)

// exportCommand is davit-shim export.
func (p *program) exportCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "export CONTAINER|BUNDLE|IMAGE",
		Short: "write a root file system as one archive",
		Long: `Writes all files of a container, of a bundle, which is a directory, or of an image
as a tar archive: without layers, names and configuration, and without what is
mounted. import makes an image of it.`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.writeOutput(output, func(w io.Writer) error { return p.export(cmd.Context(), args[0], w) })
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write `FILE` (default is standard output)")
	return cmd
}

func (p *program) export(ctx context.Context, ref string, w io.Writer) error {
	b, _, err := p.bundleOf(ref)
	if err != nil && !errors.Is(err, container.ErrNotExist) {
		return err
	}
	if err == nil {
		return diff.Export(ctx, w, b.Now(), diff.Options{UIDs: b.UIDs, GIDs: b.GIDs})
	}
	s, img, err := p.image(ctx, ref)
	if err != nil {
		return err
	}
	how, err := layerOptions()
	if err != nil {
		return err
	}
	layers, err := s.Layers(ctx, img, store.LayerOptions{Layer: how})
	if err != nil {
		return err
	}
	defer layers.Close()
	return diff.Export(ctx, w, diff.Layers(userns.RunningInUserNS(), layers.Dirs...), diff.Options{})
}
