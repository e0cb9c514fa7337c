package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/davit-containers/davit/bundle/decompress"
	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/image/layout"
	"github.com/davit-containers/davit/bundle/internal/cancel"
)

// manifestFile lists the images of an archive of `docker save`.
const manifestFile = "manifest.json"

// item is one image in manifest.json.
//
// Source: github.com/moby/docker-image-spec, v1.2: "Combined Image JSON +
// Filesystem Changeset Format".
type item struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// readManifest reads manifest.json.
func readManifest(a *files) ([]item, error) {
	raw, err := layout.Read(a, manifestFile, image.MaxDocument)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noManifest(a)
	}
	if err != nil {
		return nil, &image.RejectedError{Reason: "reading the archive", Err: err}
	}
	var items []item
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, image.Rejected("reading %s: %v", manifestFile, err)
	}
	return items, nil
}

func noManifest(a *files) error {
	if ok, _ := layout.Has(a, "repositories"); ok {
		return image.Rejected("reading the archive: it has no %s (it was written by a Docker older than 1.10)", manifestFile)
	}
	return image.Rejected("reading the archive: it has neither %s nor %s: it is no archive of an image", manifestFile, layout.IndexFile)
}

// names are the tags of an image.
func (it item) names() ([]image.Name, error) {
	var names []image.Name
	for _, tag := range it.RepoTags {
		name, err := image.ParseName(tag)
		if err != nil {
			return nil, image.Rejected("reading %s: %v", manifestFile, err)
		}
		names = append(names, name)
	}
	return names, nil
}

// dockerImage makes an image of an item: its layers have no descriptors in the
// archive, so they are made here.
func dockerImage(ctx context.Context, a *files, it item, known map[string]v1.Descriptor) (*image.Image, error) {
	config, err := layout.Read(a, it.Config, image.MaxDocument)
	if err != nil {
		return nil, &image.RejectedError{Reason: "reading the configuration", Err: err}
	}
	diffIDs, err := image.ParseDiffIDs(config, len(it.Layers))
	if err != nil {
		return nil, err
	}
	b := &dockerBlobs{files: a, paths: map[v1.Hash]string{}}
	layers := make([]v1.Descriptor, len(it.Layers))
	for n, path := range it.Layers {
		if layers[n], err = b.describe(ctx, path, diffIDs[n], known); err != nil {
			return nil, fmt.Errorf("reading layer %s: %w", path, err)
		}
	}
	return image.FromConfig(b, config, layers)
}

// dockerBlobs has the layers of one image.
type dockerBlobs struct {
	files *files
	paths map[v1.Hash]string
}

// describe makes the descriptor of a layer. What is not compressed has its
// diffID as digest, so it need not be read twice; whether the two are the same
// shows when it is copied.
func (b *dockerBlobs) describe(ctx context.Context, path string, diffID v1.Hash, known map[string]v1.Descriptor) (v1.Descriptor, error) {
	at, e, err := b.files.find(path)
	if err != nil {
		return v1.Descriptor{}, &image.RejectedError{Reason: "opening it", Err: err}
	}
	mediaType, err := b.mediaType(e)
	if err != nil {
		return v1.Descriptor{}, err
	}
	d := v1.Descriptor{MediaType: mediaType, Size: e.size, Digest: diffID}
	if mediaType != types.OCIUncompressedLayer {
		if d, err = b.compressed(ctx, at, e, d, known); err != nil {
			return v1.Descriptor{}, err
		}
	}
	b.paths[d.Digest] = at
	return d, nil
}

// compressed computes the digest of a layer, once for all images that have it.
func (b *dockerBlobs) compressed(ctx context.Context, at string, e entry, d v1.Descriptor, known map[string]v1.Descriptor) (v1.Descriptor, error) {
	if d, ok := known[at]; ok {
		return d, nil
	}
	r := cancel.Reader(ctx, io.NewSectionReader(b.files.f, e.offset, e.size))
	sum, _, err := v1.SHA256(r)
	if err != nil {
		return v1.Descriptor{}, err
	}
	d.Digest = sum
	known[at] = d
	return d, nil
}

// mediaType tells by its first bytes how a layer is compressed.
func (b *dockerBlobs) mediaType(e entry) (types.MediaType, error) {
	var head [decompress.HeadSize]byte
	n, err := io.NewSectionReader(b.files.f, e.offset, e.size).ReadAt(head[:], 0)
	if err != nil && err != io.EOF {
		return "", err
	}
	switch decompress.Detect(head[:n]) {
	case decompress.Gzip:
		return types.OCILayer, nil
	case decompress.Zstd:
		return types.OCILayerZStd, nil
	}
	return types.OCIUncompressedLayer, nil
}

// OpenBlob opens a layer's file.
func (b *dockerBlobs) OpenBlob(_ context.Context, d v1.Descriptor, offset int64) (io.ReadCloser, error) {
	path, ok := b.paths[d.Digest]
	if !ok {
		return nil, fmt.Errorf("reading %s: the archive has no such layer", d.Digest)
	}
	return layout.OpenBlob(b.files, path, d, offset)
}
