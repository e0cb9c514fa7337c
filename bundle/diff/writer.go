package diff

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"
)

// Compression is how a layer's blob is compressed.
type Compression string

// The compressions of the image specification.
//
// Spec (image-spec): layer.md#gzip-media-types, layer.md#zstd-media-types
const (
	Uncompressed Compression = ""
	Gzip         Compression = "gzip"
	Zstd         Compression = "zstd"
)

// mediaTypes are the layers' media types.
var mediaTypes = map[Compression]types.MediaType{
	Uncompressed: types.OCIUncompressedLayer,
	Gzip:         types.OCILayer,
	Zstd:         types.OCILayerZStd,
}

// Blob is what a layer's descriptor and the image's config say of it.
type Blob struct {
	Digest    v1.Hash // of the compressed bytes
	Size      int64   // of the compressed bytes
	DiffID    v1.Hash // of the tar
	MediaType types.MediaType
}

// Writer compresses a layer's tar, and hashes it on both sides. The same tar
// gives the same bytes, however many processors work on it.
type Writer struct {
	blob    Blob
	diffID  hash.Hash
	digest  hash.Hash
	out     *counter
	encoder io.WriteCloser // nil where nothing is compressed
}

// NewWriter writes a blob to another writer.
func NewWriter(to io.Writer, c Compression) (*Writer, error) {
	media, ok := mediaTypes[c]
	if !ok {
		return nil, fmt.Errorf("unknown compression %q [gzip, zstd or none]", string(c))
	}
	w := &Writer{blob: Blob{MediaType: media}, diffID: sha256.New(), digest: sha256.New()}
	w.out = &counter{to: io.MultiWriter(to, w.digest)}
	switch c {
	case Gzip:
		w.encoder = pgzip.NewWriter(w.out)
	case Zstd:
		encoder, err := zstd.NewWriter(w.out, zstd.WithEncoderConcurrency(2))
		if err != nil {
			return nil, err
		}
		w.encoder = encoder
	}
	return w, nil
}

// Write takes a part of the tar.
func (w *Writer) Write(p []byte) (int, error) {
	w.diffID.Write(p)
	if w.encoder == nil {
		return w.out.Write(p)
	}
	return w.encoder.Write(p)
}

// Close ends the blob, and says what it is. It leaves the other writer open.
func (w *Writer) Close() (Blob, error) {
	if w.encoder != nil {
		if err := w.encoder.Close(); err != nil {
			return Blob{}, fmt.Errorf("compressing a layer: %w", err)
		}
	}
	w.blob.Size = w.out.n
	w.blob.Digest, w.blob.DiffID = hashOf(w.digest), hashOf(w.diffID)
	return w.blob, nil
}

// hashOf is a finished sum.
func hashOf(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}

// counter counts what goes through.
type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}
