package archive

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/image/layout"
	"github.com/davit-containers/davit/bundle/progress"
)

// WriteOptions say how an archive is written.
type WriteOptions struct {
	// Kind is [image.OCIArchive], or [image.DockerArchive] or [Any] for one that is
	// both and that `docker load` takes.
	Kind Kind
	// Progress takes which blobs are being written.
	Progress progress.Func
}

// Write writes images into one archive, each blob once.
//
// Docker's part names layers as they are compressed. Docker knows no zstd, so
// for it such layers are written uncompressed, which changes the manifest's
// digest, not the image's ID.
func Write(ctx context.Context, w io.Writer, items []layout.Found, o WriteOptions) error {
	docker := o.Kind != Kind(image.OCIArchive)
	if docker {
		var err error
		if items, err = forDocker(ctx, items); err != nil {
			return err
		}
	}
	out := &writer{tar.NewWriter(w)}
	err := out.blobs(ctx, items, o.Progress)
	if err == nil {
		err = out.oci(items)
	}
	if err == nil && docker {
		err = out.docker(items)
	}
	if err = errors.Join(err, closing(out.tar, err)); err != nil {
		return fmt.Errorf("writing an archive: %w", err)
	}
	return nil
}

// closing ends an archive that was written without an error.
func closing(w *tar.Writer, err error) error {
	if err != nil {
		return nil
	}
	return w.Close()
}

type writer struct{ tar *tar.Writer }

// header begins a file. Two archives of the same images are the same.
func (w *writer) header(name string, size int64) error {
	return w.tar.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0), Format: tar.FormatPAX})
}

func (w *writer) json(name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := w.header(name, int64(len(raw))); err != nil {
		return err
	}
	_, err = w.tar.Write(raw)
	return err
}

func (w *writer) blobs(ctx context.Context, items []layout.Found, report progress.Func) error {
	var images []*image.Image
	for _, it := range items {
		images = append(images, it.Image)
	}
	blobs, err := layout.BlobsOf(images)
	if err != nil {
		return err
	}
	for _, b := range blobs {
		if err := w.header(layout.BlobPath(b.Descriptor.Digest), b.Descriptor.Size); err != nil {
			return err
		}
		event := progress.Event{Phase: progress.Writing, Layer: b.Descriptor.Digest.String(), Total: b.Descriptor.Size}
		if err := b.Copy(ctx, io.MultiWriter(w.tar, &progress.Counter{Func: report, Event: event})); err != nil {
			return err
		}
		event.Phase, event.Done = progress.Written, event.Total
		report.Report(event)
	}
	return nil
}

// oci writes what makes an OCI image layout.
func (w *writer) oci(items []layout.Found) error {
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}}
	for _, it := range items {
		index.Manifests = append(index.Manifests, layout.Entries(it.Image, it.Names)...)
	}
	if err := w.json(layout.IndexFile, index); err != nil {
		return err
	}
	return w.json(layout.MarkerFile, json.RawMessage(layout.Marker))
}

// docker writes what `docker load` reads.
func (w *writer) docker(items []layout.Found) error {
	list := []item{}
	for _, it := range items {
		one := item{Config: layout.BlobPath(it.Image.ID()), RepoTags: []string{}, Layers: []string{}}
		for _, name := range it.Names {
			one.RepoTags = append(one.RepoTags, name.Familiar())
		}
		for _, d := range it.Image.LayerDescriptors() {
			one.Layers = append(one.Layers, layout.BlobPath(d.Digest))
		}
		list = append(list, one)
	}
	return w.json(manifestFile, list)
}

// forDocker has no layers in zstd.
func forDocker(ctx context.Context, items []layout.Found) ([]layout.Found, error) {
	items = slices.Clone(items)
	for i := range items {
		img, err := withoutZstd(ctx, items[i].Image)
		if err != nil {
			return nil, err
		}
		items[i].Image = img
	}
	return items, nil
}
