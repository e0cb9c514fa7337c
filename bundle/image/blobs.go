package image

import (
	"context"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Blobs is where the bytes of an image are.
type Blobs interface {
	// OpenBlob opens the blob of a descriptor, from a byte offset on. What
	// comes is not verified. ctx also ends the reading.
	OpenBlob(ctx context.Context, d v1.Descriptor, offset int64) (io.ReadCloser, error)
}

// ReadDocument reads and verifies a small blob: a manifest, an index or a configuration.
func ReadDocument(ctx context.Context, b Blobs, d v1.Descriptor) ([]byte, error) {
	if err := CheckDescriptor(d); err != nil {
		return nil, err
	}
	if d.Size > MaxDocument {
		return nil, Rejected("reading %s: %d bytes are more than %d", d.Digest, d.Size, MaxDocument)
	}
	r, err := b.OpenBlob(ctx, d, 0)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, d.Size+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", d.Digest, err)
	}
	return raw, Verify(raw, d)
}

// Verify checks bytes against their descriptor.
func Verify(raw []byte, d v1.Descriptor) error {
	if int64(len(raw)) > d.Size {
		return Rejected("reading %s: there are more than the %d bytes that its descriptor says", d.Digest, d.Size)
	}
	if int64(len(raw)) < d.Size {
		return Rejected("reading %s: there are %d bytes, and its descriptor says %d", d.Digest, len(raw), d.Size)
	}
	sum, err := Sum(d.Digest.Algorithm, raw)
	if err != nil {
		return err
	}
	if sum != d.Digest {
		return Rejected("reading %s: its content has digest %s", d.Digest, sum)
	}
	return nil
}

// Sum is the digest of bytes. Algorithms: sha256 and sha512.
func Sum(algorithm string, raw []byte) (v1.Hash, error) {
	h, err := v1.Hasher(algorithm)
	if err != nil {
		return v1.Hash{}, &RejectedError{Reason: "computing a digest", Err: err}
	}
	h.Write(raw)
	return v1.Hash{Algorithm: algorithm, Hex: hex.EncodeToString(h.Sum(nil))}, nil
}

// NewVerifier reads r, and checks at its end that it is the blob of a descriptor.
// It never gives out more bytes than the descriptor says.
func NewVerifier(r io.Reader, d v1.Descriptor) (*Verifier, error) {
	if err := CheckDescriptor(d); err != nil {
		return nil, err
	}
	h, err := v1.Hasher(d.Digest.Algorithm)
	if err != nil {
		return nil, &RejectedError{Reason: "reading " + d.Digest.String(), Err: err}
	}
	return &Verifier{r: r, d: d, sum: h}, nil
}

// Verifier is a reader that checks what it reads. See [NewVerifier].
type Verifier struct {
	r    io.Reader
	d    v1.Descriptor
	sum  hash.Hash
	done int64
}

// Read gives out bytes of the blob. In the place of [io.EOF] comes a
// [RejectedError] where they are not the blob's.
func (v *Verifier) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	if left := v.d.Size - v.done; int64(n) > left {
		return 0, Rejected("reading %s: there are more than the %d bytes that its descriptor says", v.d.Digest, v.d.Size)
	}
	v.sum.Write(p[:n])
	v.done += int64(n)
	if err == io.EOF {
		err = v.Verify()
		if err == nil {
			err = io.EOF
		}
	}
	return n, err
}

// Verify checks what was read so far as if it were all.
func (v *Verifier) Verify() error {
	if v.done != v.d.Size {
		return Rejected("reading %s: there are %d bytes, and its descriptor says %d", v.d.Digest, v.done, v.d.Size)
	}
	if sum := hex.EncodeToString(v.sum.Sum(nil)); sum != v.d.Digest.Hex {
		return Rejected("reading %s: its content has digest %s:%s", v.d.Digest, v.d.Digest.Algorithm, sum)
	}
	return nil
}
