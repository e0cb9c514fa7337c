package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/davit-containers/davit/bundle/image"
)

// Compression is how a new layer is compressed.
type Compression string

// The compressions. The zero value is Gzip, which every tool reads.
const (
	Gzip  Compression = "gzip"
	Zstd  Compression = "zstd"
	Plain Compression = "none"
)

// CommitOptions say what a new image is made of.
type CommitOptions struct {
	// Base is the image that the new one begins with. nil: none.
	Base *Image
	// Layer writes the new layer's tar archive, not compressed. nil: there is no
	// new layer.
	Layer       func(ctx context.Context, w io.Writer) error
	Compression Compression
	// Change changes the base's configuration. It need not care for layers and
	// history. nil: nothing changes.
	Change func(*image.Config)
	// History is the new layer's. Without a time it is of now.
	History v1.History
	// Names are the new image's.
	Names []image.Name
	// Unpack, unless it is nil, has the layers unpacked too.
	Unpack *LayerOptions
}

// Commit makes an image of another one and a new layer. Where it fails, the
// store is as it was.
func (s *Store) Commit(ctx context.Context, o CommitOptions) (*Image, error) {
	op, err := s.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("committing an image: %w", err)
	}
	img, err := op.commit(ctx, o)
	if err != nil {
		err = errors.Join(fmt.Errorf("committing an image: %w", err), op.undo(context.WithoutCancel(ctx)))
	}
	if err = errors.Join(err, op.end()); err != nil {
		return nil, err
	}
	return s.Get(ctx, img.Descriptor().Digest.String())
}

func (o *operation) commit(ctx context.Context, opts CommitOptions) (*image.Image, error) {
	config, layers := &image.Config{}, []v1.Descriptor{}
	if opts.Base != nil {
		if err := o.use(ctx, opts.Base.Image); err != nil {
			return nil, err
		}
		config, layers = opts.Base.OwnConfig(), opts.Base.LayerDescriptors()
	}
	if opts.Change != nil {
		opts.Change(config)
	}
	if opts.Layer != nil {
		d, diffID, err := o.newLayer(ctx, opts)
		if err != nil {
			return nil, err
		}
		layers = append(layers, d)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, diffID)
	}
	complete(config, opts)
	img, err := image.New(o.store, config, layers)
	if err != nil {
		return nil, err
	}
	return img, o.add(ctx, img, opts.Names, AddOptions{Unpack: opts.Unpack})
}

// complete fills in what every configuration has.
func complete(config *image.Config, opts CommitOptions) {
	history := opts.History
	if history.Created.IsZero() {
		history.Created = v1.Time{Time: time.Now().UTC()}
	}
	history.EmptyLayer = opts.Layer == nil
	config.History = append(config.History, history)
	config.Created = history.Created
	config.RootFS.Type = "layers"
	if config.RootFS.DiffIDs == nil {
		config.RootFS.DiffIDs = []v1.Hash{}
	}
	host := image.Host()
	if config.OS == "" {
		config.OS = host.OS
	}
	if config.Architecture == "" {
		config.Architecture, config.Variant = host.Architecture, host.Variant
	}
}

// use pins an image of the store, which must still be there.
func (o *operation) use(ctx context.Context, img *image.Image) error {
	if err := o.pin(ctx, append(pins(img), chainPins(img)...)...); err != nil {
		return err
	}
	return o.store.hasImage(img)
}

// newLayer writes the new layer, and puts it in its place.
func (o *operation) newLayer(ctx context.Context, opts CommitOptions) (v1.Descriptor, v1.Hash, error) {
	f, err := o.store.claim(ctx, tempPrefix+rand.Text(), makeAndOpenFile, nil)
	if err != nil {
		return v1.Descriptor{}, v1.Hash{}, err
	}
	defer f.Close()
	d, diffID, err := writeLayer(ctx, f, opts)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = o.place(ctx, f, d.Digest)
	}
	if err != nil {
		return d, diffID, errors.Join(err, remove(f.Name()))
	}
	return d, diffID, nil
}

// remove removes a file that may be gone.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// place puts a blob in its place. One that is there already is the same.
func (o *operation) place(ctx context.Context, f *os.File, h v1.Hash) error {
	if err := o.pin(ctx, blobPin(h)); err != nil {
		return err
	}
	if _, err := os.Lstat(o.store.blobPath(h)); err == nil {
		return os.Remove(f.Name())
	}
	o.noteBlob(h)
	return os.Rename(f.Name(), o.store.blobPath(h))
}

// writeLayer compresses what the layer's writer writes, and hashes both.
func writeLayer(ctx context.Context, f io.Writer, opts CommitOptions) (v1.Descriptor, v1.Hash, error) {
	blob, diff := &summing{w: f, sum: sha256.New()}, sha256.New()
	c, mediaType, err := compressor(blob, opts.Compression)
	if err != nil {
		return v1.Descriptor{}, v1.Hash{}, err
	}
	err = opts.Layer(ctx, io.MultiWriter(diff, c))
	if err = errors.Join(err, c.Close()); err != nil {
		return v1.Descriptor{}, v1.Hash{}, err
	}
	return v1.Descriptor{MediaType: mediaType, Size: blob.size, Digest: digest(blob.sum)}, digest(diff), nil
}

// compressor compresses into w.
func compressor(w io.Writer, c Compression) (io.WriteCloser, types.MediaType, error) {
	switch c {
	case Gzip, "":
		return gzip.NewWriter(w), types.OCILayer, nil
	case Zstd:
		z, err := zstd.NewWriter(w)
		return z, types.OCILayerZStd, err
	case Plain:
		return uncompressed{w}, types.OCIUncompressedLayer, nil
	}
	return nil, "", fmt.Errorf("compressing a layer: %q is none of gzip, zstd, none", c)
}

type uncompressed struct{ io.Writer }

func (uncompressed) Close() error { return nil }

// summing is a writer that knows the digest and the size of what was written.
type summing struct {
	w    io.Writer
	sum  hash.Hash
	size int64
}

func (s *summing) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.sum.Write(p[:n])
	s.size += int64(n)
	return n, err
}

func digest(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}

// Import makes an image of one archive of files, which may be compressed with
// gzip or zstd. o.Layer and o.Base are not looked at.
func (s *Store) Import(ctx context.Context, archive io.Reader, o CommitOptions) (*Image, error) {
	o.Base = nil
	o.Layer = func(ctx context.Context, w io.Writer) error { return copyArchive(ctx, w, archive) }
	return s.Commit(ctx, o)
}
