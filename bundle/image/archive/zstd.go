package archive

import (
	"context"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/layer"
)

// withoutZstd is an image whose layers in zstd are not compressed.
func withoutZstd(ctx context.Context, img *image.Image) (*image.Image, error) {
	layers, diffIDs := img.LayerDescriptors(), img.DiffIDs()
	b := &unpacking{img, map[v1.Hash]layer.Blob{}}
	for i, d := range layers {
		if d.MediaType != types.OCILayerZStd {
			continue
		}
		blob := layer.Blob{Digest: d.Digest, Size: d.Size, DiffID: diffIDs[i]}
		b.layers[blob.DiffID] = blob
		plain := v1.Descriptor{MediaType: types.OCIUncompressedLayer, Digest: blob.DiffID}
		size, err := b.size(ctx, plain)
		if err != nil {
			return nil, err
		}
		plain.Size = size
		layers[i] = plain
	}
	if len(b.layers) == 0 {
		return img, nil
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return nil, err
	}
	return image.FromConfig(b, config, layers)
}

// unpacking gives out some layers of an image decompressed.
type unpacking struct {
	img    *image.Image
	layers map[v1.Hash]layer.Blob // by diffID
}

// size reads a whole layer, as its size stands nowhere.
func (u *unpacking) size(ctx context.Context, d v1.Descriptor) (int64, error) {
	r, err := u.OpenBlob(ctx, d, 0)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return io.Copy(io.Discard, r)
}

// OpenBlob decompresses and verifies a layer on the way.
func (u *unpacking) OpenBlob(ctx context.Context, d v1.Descriptor, offset int64) (io.ReadCloser, error) {
	blob, ok := u.layers[d.Digest]
	if !ok {
		return u.img.OpenBlob(ctx, d, offset)
	}
	compressed, err := u.img.OpenBlob(ctx, v1.Descriptor{Digest: blob.Digest, Size: blob.Size}, 0)
	if err != nil {
		return nil, err
	}
	r, err := layer.Open(ctx, compressed, blob)
	if err != nil {
		compressed.Close()
		return nil, err
	}
	_, err = io.CopyN(io.Discard, r, offset)
	return &decompressed{r, compressed}, err
}

type decompressed struct {
	*layer.Reader
	compressed io.Closer
}

// Close also ends the reading of what is not needed any more.
func (d *decompressed) Close() error {
	d.Reader.Close()
	return d.compressed.Close()
}
