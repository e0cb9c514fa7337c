package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/image/archive"
	"github.com/davit-containers/davit/bundle/image/layout"
	"github.com/davit-containers/davit/bundle/progress"
	"github.com/davit-containers/davit/bundle/store"
)

// saving has the flags of davit-shim save.
type saving struct {
	transfer
	output, format string
}

// saveFormats are what --format may be.
var saveFormats = []string{"docker-archive", "oci-archive", "oci-dir"}

// saveCommand is davit-shim save.
func (p *program) saveCommand() *cobra.Command {
	var s saving
	cmd := &cobra.Command{
		Use:   "save IMAGE...",
		Short: "write images into an archive",
		Long: `Writes images with all their layers and names into an archive that docker load,
podman load, skopeo and this program's load read. A docker-archive is an OCI image
layout too; an oci-archive is that alone; an oci-dir is a directory, to which the
images are added. An image that is given by its ID has no name there.`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.save(cmd.Context(), s, args) },
	}
	cmd.Flags().StringVarP(&s.output, "output", "o", "", "write `FILE` (default is standard output)")
	cmd.Flags().StringVar(&s.format, "format", "docker-archive", "write as `FORMAT`: docker-archive, oci-archive or oci-dir")
	s.addProgress(cmd)
	return cmd
}

func (p *program) save(ctx context.Context, o saving, refs []string) error {
	if !slices.Contains(saveFormats, o.format) {
		return fmt.Errorf("--format %q: it is docker-archive, oci-archive or oci-dir", o.format)
	}
	s, err := p.store()
	if err != nil {
		return err
	}
	items, using, err := chosen(ctx, s, refs)
	if err != nil {
		return err
	}
	defer using.Close()
	return p.watch(o.transfer, func(report progress.Func) error {
		if o.format == "oci-dir" {
			return saveDir(ctx, o.output, items, report)
		}
		kind := archive.Kind(image.DockerArchive)
		if o.format == "oci-archive" {
			kind = archive.Kind(image.OCIArchive)
		}
		return p.writeOutput(o.output, func(w io.Writer) error {
			return archive.Write(ctx, w, items, archive.WriteOptions{Kind: kind, Progress: report})
		})
	})
}

// chosen are the images that are named, each once, with the names that they are
// to have; they are kept until they are closed.
func chosen(ctx context.Context, s *store.Store, refs []string) ([]layout.Found, io.Closer, error) {
	var items []layout.Found
	var images []*store.Image
	for _, ref := range refs {
		img, err := s.Get(ctx, ref)
		if err != nil {
			return nil, nil, err
		}
		i := slices.IndexFunc(images, func(have *store.Image) bool { return have.Descriptor().Digest == img.Descriptor().Digest })
		if i < 0 {
			i = len(items)
			images = append(images, img)
			items = append(items, layout.Found{Image: img.Image})
		}
		if n, err := image.ParseName(ref); err == nil && slices.Contains(img.Names, n) && !slices.Contains(items[i].Names, n) {
			items[i].Names = append(items[i].Names, n)
		}
	}
	using, err := s.Use(ctx, images...)
	return items, using, err
}

// saveDir adds images to a layout in a directory.
func saveDir(ctx context.Context, dir string, items []layout.Found, report progress.Func) error {
	if dir == "" || dir == "-" {
		return fmt.Errorf("--format oci-dir: it needs a directory [give one by -o]")
	}
	return layout.Write(ctx, dir, items, report)
}
