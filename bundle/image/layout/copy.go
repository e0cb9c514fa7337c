package layout

import (
	"context"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/internal/cancel"
)

// Blob is a blob of an image, and where its bytes are.
type Blob struct {
	Descriptor v1.Descriptor
	From       image.Blobs
}

// BlobsOf are the blobs of images, each once: the layers, the configuration, the
// manifest.
func BlobsOf(images []*image.Image) ([]Blob, error) {
	var blobs []Blob
	seen := map[v1.Hash]bool{}
	for _, img := range images {
		its, err := blobsOf(img)
		if err != nil {
			return nil, err
		}
		for _, b := range its {
			if !seen[b.Descriptor.Digest] {
				seen[b.Descriptor.Digest] = true
				blobs = append(blobs, b)
			}
		}
	}
	return blobs, nil
}

func blobsOf(img *image.Image) ([]Blob, error) {
	m, err := img.Manifest()
	if err != nil {
		return nil, err
	}
	var blobs []Blob
	for _, d := range append(img.LayerDescriptors(), m.Config, img.Descriptor()) {
		blobs = append(blobs, Blob{d, img})
	}
	return blobs, nil
}

// Copy gives the bytes of a blob to a writer, verified. What was written before
// an error is not the blob.
func (b Blob) Copy(ctx context.Context, w io.Writer) error {
	r, err := b.From.OpenBlob(ctx, b.Descriptor, 0)
	if err != nil {
		return err
	}
	defer r.Close()
	v, err := image.NewVerifier(r, b.Descriptor)
	if err != nil {
		return err
	}
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, cancel.Reader(ctx, v), make([]byte, 1<<20)); err != nil {
		return fmt.Errorf("copying %s: %w", b.Descriptor.Digest, err)
	}
	return nil
}

// Entries are the descriptors of an image for index.json: one for each name, and
// one without where it has none. RefName is the whole name; other tools find the
// image by it.
func Entries(img *image.Image, names []image.Name) []v1.Descriptor {
	if len(names) == 0 {
		return []v1.Descriptor{img.Descriptor()}
	}
	var entries []v1.Descriptor
	for _, name := range names {
		d := img.Descriptor()
		d.Annotations = map[string]string{RefName: name.String(), FullName: name.String()}
		entries = append(entries, d)
	}
	return entries
}
