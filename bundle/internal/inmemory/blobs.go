// Package inmemory has an image's blobs in memory, for the tests of packages that
// read images. It is not for programs.
package inmemory

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Blobs are blobs by their digests, which may be wrong.
type Blobs map[v1.Hash][]byte

// OpenBlob opens a blob, from an offset in bytes on; at its end where it is shorter.
func (b Blobs) OpenBlob(_ context.Context, d v1.Descriptor, offset int64) (io.ReadCloser, error) {
	raw, ok := b[d.Digest]
	if !ok {
		return nil, fmt.Errorf("no blob %s", d.Digest)
	}
	return io.NopCloser(bytes.NewReader(raw[min(offset, int64(len(raw))):])), nil
}

// Add adds a blob, and describes it.
func (b Blobs) Add(raw []byte, mediaType types.MediaType) v1.Descriptor {
	sum := sha256.Sum256(raw)
	d := v1.Descriptor{
		MediaType: mediaType, Size: int64(len(raw)), Digest: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])},
	}
	b[d.Digest] = raw
	return d
}
