package image

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image is an image whose manifest and configuration were checked. It is a
// [v1.Image]. Its layers are checked when they are read through package store.
type Image struct {
	blobs      Blobs
	descriptor v1.Descriptor
	raw        []byte
	manifest   *v1.Manifest
	rawConfig  []byte
	config     *v1.ConfigFile
	origins    []v1.Hash
}

// maxIndexes bounds indexes in indexes.
const maxIndexes = 4

// Resolve is the image that a descriptor leads to, if need be through indexes,
// of which it takes the manifest for a platform.
//
// Errors: a [RejectedError]; [ErrNotFound] where an index has none for the
// platform; those of b.
func Resolve(ctx context.Context, b Blobs, d v1.Descriptor, platform v1.Platform) (*Image, error) {
	raw, err := ReadDocument(ctx, b, d)
	if err != nil {
		return nil, err
	}
	return ResolveDocument(ctx, b, d, raw, platform)
}

// ResolveDocument is Resolve for a document that was read and verified already.
func ResolveDocument(ctx context.Context, b Blobs, d v1.Descriptor, raw []byte, platform v1.Platform) (*Image, error) {
	var origins []v1.Hash
	for range maxIndexes {
		if !d.MediaType.IsIndex() {
			return load(ctx, b, d, raw, origins)
		}
		origins = append(origins, d.Digest)
		index, err := ParseIndex(raw, d.MediaType)
		if err != nil {
			return nil, err
		}
		if d, err = Choose(index.Manifests, platform); err != nil {
			return nil, err
		}
		if raw, err = ReadDocument(ctx, b, d); err != nil {
			return nil, err
		}
	}
	return nil, Rejected("reading the index: more than %d indexes in one another", maxIndexes)
}

// load makes the image of a manifest.
func load(ctx context.Context, b Blobs, d v1.Descriptor, raw []byte, origins []v1.Hash) (*Image, error) {
	if !d.MediaType.IsImage() {
		return nil, notAnImage(raw, d.MediaType)
	}
	m, err := ParseManifest(raw, d.MediaType)
	if err != nil {
		return nil, err
	}
	rawConfig, err := ReadDocument(ctx, b, m.Config)
	if err != nil {
		return nil, fmt.Errorf("fetching the configuration: %w", err)
	}
	c, err := ParseConfig(rawConfig, m)
	if err != nil {
		return nil, err
	}
	plain := v1.Descriptor{MediaType: d.MediaType, Size: int64(len(raw)), Digest: d.Digest}
	return &Image{blobs: b, descriptor: plain, raw: raw, manifest: m, rawConfig: rawConfig, config: c, origins: append(origins, d.Digest)}, nil
}

// notAnImage says why a document of a foreign type is refused.
func notAnImage(raw []byte, mediaType types.MediaType) error {
	if _, err := checkShape(raw, mediaType); err != nil {
		return err
	}
	return Rejected("reading the manifest: %q is no type of an image", mediaType)
}

// ID is the digest of the configuration, as Docker names images.
func (i *Image) ID() v1.Hash { return i.manifest.Config.Digest }

// Descriptor is that of the manifest, without annotations.
func (i *Image) Descriptor() v1.Descriptor { return i.descriptor }

// Origins are the digests that led here: those of the indexes, the outermost
// first, then the manifest's as it was fetched.
func (i *Image) Origins() []v1.Hash { return slices.Clone(i.origins) }

// Config is the configuration. It is not to be changed.
func (i *Image) Config() *v1.ConfigFile { return i.config }

// LayerDescriptors are the layers' descriptors, the lowest first.
func (i *Image) LayerDescriptors() []v1.Descriptor { return slices.Clone(i.manifest.Layers) }

// DiffIDs are the digests of the layers' content, the lowest first.
func (i *Image) DiffIDs() []v1.Hash { return slices.Clone(i.config.RootFS.DiffIDs) }

// ChainIDs are those of the layers, the lowest first.
func (i *Image) ChainIDs() []v1.Hash { return ChainIDs(i.config.RootFS.DiffIDs) }

// Platform is what the image was built for.
func (i *Image) Platform() v1.Platform {
	return v1.Platform{OS: i.config.OS, Architecture: i.config.Architecture, Variant: i.config.Variant, OSVersion: i.config.OSVersion}
}

// OpenBlob opens a blob of the image: its manifest, its configuration or, where
// it was fetched from, a layer. An image is a [Blobs].
func (i *Image) OpenBlob(ctx context.Context, d v1.Descriptor, offset int64) (io.ReadCloser, error) {
	switch d.Digest {
	case i.ID():
		return document(i.rawConfig, offset), nil
	case i.descriptor.Digest:
		return document(i.raw, offset), nil
	}
	return i.blobs.OpenBlob(ctx, d, offset)
}

// document reads what is in memory.
func document(raw []byte, offset int64) io.ReadCloser {
	return io.NopCloser(bytes.NewReader(raw[min(offset, int64(len(raw))):]))
}

// MediaType is the manifest's. The error is nil, as of all methods that have
// one for [v1.Image] alone.
func (i *Image) MediaType() (types.MediaType, error) { return i.descriptor.MediaType, nil }

// Size is the manifest's, in bytes.
func (i *Image) Size() (int64, error) { return i.descriptor.Size, nil }

// ConfigName is [Image.ID].
func (i *Image) ConfigName() (v1.Hash, error) { return i.ID(), nil }

// ConfigFile is a copy of the configuration.
func (i *Image) ConfigFile() (*v1.ConfigFile, error) { return i.config.DeepCopy(), nil }

// RawConfigFile is the configuration as it was fetched.
func (i *Image) RawConfigFile() ([]byte, error) { return slices.Clone(i.rawConfig), nil }

// Digest is the manifest's.
func (i *Image) Digest() (v1.Hash, error) { return i.descriptor.Digest, nil }

// Manifest is a copy of the manifest.
func (i *Image) Manifest() (*v1.Manifest, error) { return i.manifest.DeepCopy(), nil }

// RawManifest is the manifest as it was fetched.
func (i *Image) RawManifest() ([]byte, error) { return slices.Clone(i.raw), nil }

// Layers are the layers, the lowest first.
func (i *Image) Layers() ([]v1.Layer, error) {
	layers := make([]v1.Layer, len(i.manifest.Layers))
	for n := range layers {
		layer, err := partial.CompressedToLayer(&blobLayer{i, n})
		if err != nil {
			return nil, err
		}
		layers[n] = layer
	}
	return layers, nil
}

// LayerByDigest is the layer whose blob has that digest.
func (i *Image) LayerByDigest(h v1.Hash) (v1.Layer, error) {
	if h == i.ID() {
		return partial.ConfigLayer(i)
	}
	n := slices.IndexFunc(i.manifest.Layers, func(d v1.Descriptor) bool { return d.Digest == h })
	return i.layer(n, h)
}

// LayerByDiffID is the layer whose content has that digest.
func (i *Image) LayerByDiffID(h v1.Hash) (v1.Layer, error) {
	return i.layer(slices.Index(i.config.RootFS.DiffIDs, h), h)
}

func (i *Image) layer(n int, h v1.Hash) (v1.Layer, error) {
	if n < 0 {
		return nil, fmt.Errorf("looking up layer %s: the image has none", h)
	}
	return partial.CompressedToLayer(&blobLayer{i, n})
}

// blobLayer is one layer for the library.
type blobLayer struct {
	image *Image
	n     int
}

func (l *blobLayer) Digest() (v1.Hash, error) { return l.image.manifest.Layers[l.n].Digest, nil }
func (l *blobLayer) DiffID() (v1.Hash, error) { return l.image.config.RootFS.DiffIDs[l.n], nil }
func (l *blobLayer) Size() (int64, error)     { return l.image.manifest.Layers[l.n].Size, nil }
func (l *blobLayer) MediaType() (types.MediaType, error) {
	return l.image.manifest.Layers[l.n].MediaType, nil
}
func (l *blobLayer) Compressed() (io.ReadCloser, error) {
	return l.image.OpenBlob(context.Background(), l.image.manifest.Layers[l.n], 0)
}
