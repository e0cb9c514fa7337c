package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/sys/userns"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/layer"
	"github.com/davit-containers/davit/bundle/progress"
	"github.com/davit-containers/davit/bundle/rootfs"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/rootless"
)

// unpackCommand is davit-shim unpack.
func (p *program) unpackCommand() *cobra.Command {
	var t transfer
	cmd := &cobra.Command{
		Use:   "unpack IMAGE [DIR]",
		Short: "unpack an image's layers",
		Long: `Unpacks the layers into DIR, one over the other, as they are to be seen: an empty
directory, or one that is not there. Without DIR, unpacks in the store what is not
yet unpacked there, and prints the layers' directories in the form of overlayfs,
the topmost first; they stay as long as the image. Everything is verified.`,
		Args: between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return p.unpack(cmd.Context(), t, args) },
	}
	t.addProgress(cmd)
	return cmd
}

func (p *program) unpack(ctx context.Context, t transfer, args []string) error {
	s, img, err := p.image(ctx, args[0])
	if err != nil {
		return err
	}
	how, err := layerOptions()
	if err != nil {
		return err
	}
	return p.watch(t, func(report progress.Func) error {
		if len(args) > 1 {
			return unpackInto(ctx, s, img, args[1], how, report)
		}
		layers, err := s.Layers(ctx, img, store.LayerOptions{Layer: how, Progress: report})
		if err != nil {
			return err
		}
		for _, dir := range layers.Dirs {
			fmt.Fprintln(p.out, dir)
		}
		return layers.Close()
	})
}

// layerOptions are how layers are unpacked on this machine.
func layerOptions() (layer.Options, error) {
	if !userns.RunningInUserNS() {
		return layer.Options{}, nil
	}
	mapping, err := rootless.Current()
	return layer.Options{Namespace: layer.User, OneOwner: mapping.OneID}, err
}

// unpackInto unpacks an image into a plain directory.
func unpackInto(ctx context.Context, s *store.Store, img *store.Image, dir string, how layer.Options, report progress.Func) error {
	using, err := s.Use(ctx, img)
	if err != nil {
		return err
	}
	defer using.Close()
	target, made, err := emptyDir(dir)
	if err != nil {
		return fmt.Errorf("unpacking into %s: %w", dir, err)
	}
	defer target.Close()
	err = applyLayers(ctx, s, img, layer.NewPlain(target, how), report)
	if err == nil {
		err = unix.Syncfs(int(target.Fd()))
	}
	if err != nil {
		err = fmt.Errorf("unpacking into %s: %w", dir, err)
	}
	if err != nil && made {
		err = errors.Join(err, rootfs.Remove(dir))
	}
	return err
}

// applyLayers unpacks all layers of an image, the lowest first.
func applyLayers(ctx context.Context, s *store.Store, img *store.Image, plain *layer.Plain, report progress.Func) error {
	diffIDs := img.DiffIDs()
	for i, d := range img.LayerDescriptors() {
		if err := apply(ctx, s, plain, d, diffIDs[i], report); err != nil {
			return fmt.Errorf("layer %s: %w", d.Digest, err)
		}
	}
	return nil
}

// emptyDir opens a directory, which is made if need be.
func emptyDir(dir string) (target *os.File, made bool, err error) {
	err = os.Mkdir(dir, 0o755)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, false, err
	}
	made = err == nil
	if target, err = os.Open(dir); err != nil {
		return nil, made, err
	}
	names, err := target.Readdirnames(1)
	if err == io.EOF {
		return target, made, nil
	}
	if len(names) > 0 {
		err = errors.New("the directory is not empty")
	}
	return nil, made, errors.Join(err, target.Close())
}

// apply unpacks one layer, and verifies it.
func apply(ctx context.Context, s *store.Store, plain *layer.Plain, d v1.Descriptor, diffID v1.Hash, report progress.Func) error {
	blob, err := s.OpenBlob(ctx, d, 0)
	if err != nil {
		return err
	}
	defer blob.Close()
	event := progress.Event{Phase: progress.Unpacking, Layer: d.Digest.String(), Total: d.Size}
	r, err := layer.Open(ctx, io.TeeReader(blob, &progress.Counter{Func: report, Event: event}), layer.Blob{Digest: d.Digest, Size: d.Size, DiffID: diffID})
	if err != nil {
		return err
	}
	if err = plain.Apply(ctx, r); err == nil {
		err = r.Verify()
	}
	if closing := r.Close(); err == nil {
		err = closing
	}
	if err == nil {
		report(progress.Event{Phase: progress.Unpacked, Layer: d.Digest.String(), Done: d.Size, Total: d.Size})
	}
	return err
}
