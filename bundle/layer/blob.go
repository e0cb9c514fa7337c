package layer

import (
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Blob says what a layer's bytes must be. All of it is always verified.
type Blob struct {
	Digest v1.Hash // of the blob
	Size   int64   // of the blob, in bytes
	DiffID v1.Hash // of what is compressed in it
}

// MismatchError says that a blob is not what its descriptor promises.
type MismatchError struct {
	What      string // "digest", "size" or "diff_id"
	Got, Want string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("verifying layer: %s is %s, not %s", e.What, e.Got, e.Want)
}

// ErrNotVerified says that a layer was closed before all of it was read.
var ErrNotVerified = errors.New("layer not read to its end")

// Reader is a layer's tar archive, decompressed and hashed on the way. It has
// goroutines of its own: close it.
type Reader struct {
	want   Blob
	cancel context.CancelFunc
	source *source
	sum    *summer
	blocks <-chan *block
	decode chan error // how decompressing ended

	current *block
	rest    []byte
	err     error // why there are no more blocks
	result  error // of verifying
	done    bool
}

// Open reads the layer in r, which is compressed with gzip or zstd, or not at
// all: its first bytes tell. What reads the result sees the archive before it
// is verified, and must ask [Reader.Verify] at the end.
//
// Memory is bounded: about 12 MB, and what a zstd stream's window needs (up to
// 128 MB). r is read by another goroutine until [Reader.Close] returns.
func Open(ctx context.Context, r io.Reader, want Blob) (*Reader, error) {
	digest, diffID, err := want.hashers()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	src := newSource(ctx, r, want.Size, digest)
	blocks, sums := make(chan *block, inFlight), make(chan *block, inFlight)
	reader := &Reader{want: want, cancel: cancel, source: src, blocks: blocks, decode: make(chan error, 1)}
	reader.sum = newSummer(sums, diffID)
	go func() {
		out := &fanOut{ctx: ctx, pool: newPool(inFlight + 3), to: []chan<- *block{blocks, sums}}
		reader.decode <- expand(out, src)
		out.close()
		src.drain()
	}()
	return reader, nil
}

// hashers are what the blob's hashes are computed with: one where the blob is
// not compressed.
func (b Blob) hashers() (digest, diffID *hasher, err error) {
	if b.Size < 0 {
		return nil, nil, fmt.Errorf("opening layer: its size is negative (%d)", b.Size)
	}
	if diffID, err = newHasher(b.DiffID); err != nil {
		return nil, nil, err
	}
	if b.Digest == b.DiffID {
		return nil, diffID, nil
	}
	digest, err = newHasher(b.Digest)
	return digest, diffID, err
}

// Next returns the next part of the archive, which is valid until the following
// call. It is what package tarstream reads.
func (r *Reader) Next() ([]byte, error) {
	if len(r.rest) > 0 {
		rest := r.rest
		r.rest = nil
		return rest, nil
	}
	r.release()
	if r.err != nil {
		return nil, r.err
	}
	b, open := <-r.blocks
	if !open {
		if r.err = <-r.decode; r.err == nil {
			r.err = io.EOF
		}
		return nil, r.err
	}
	r.current = b
	return b.data, nil
}

func (r *Reader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		rest, err := r.Next()
		if err != nil {
			return 0, err
		}
		r.rest = rest
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *Reader) release() {
	if r.current != nil {
		r.current.release()
		r.current = nil
	}
}

// Verify reads what is left of the layer, and says whether all of it was what
// it must be. Where unpacking failed, Verify tells whether the blob was at
// fault; it takes as long as reading the rest takes.
//
// Errors: [*MismatchError], those of decompressing and of the blob's reader,
// and the context's.
func (r *Reader) Verify() error {
	if r.done {
		return r.result
	}
	var err error
	for err == nil {
		_, err = r.Next()
	}
	<-r.source.done
	<-r.sum.done
	r.done, r.result = true, r.judge(err)
	return r.result
}

// judge says what is wrong, the cause before what follows from it.
func (r *Reader) judge(decoding error) error {
	if err := r.source.err; err != nil {
		return err
	}
	if got := r.source.read; got != r.want.Size {
		return &MismatchError{"size", fmt.Sprint(got), fmt.Sprint(r.want.Size)}
	}
	if digest := r.source.hash; digest != nil && digest.sum() != r.want.Digest {
		return &MismatchError{"digest", digest.sum().String(), r.want.Digest.String()}
	}
	if decoding != io.EOF {
		return fmt.Errorf("decompressing layer: %w", decoding)
	}
	if got := r.sum.hash.sum(); got != r.want.DiffID {
		what := "diff_id"
		if r.want.Digest == r.want.DiffID {
			what = "digest"
		}
		return &MismatchError{what, got.String(), r.want.DiffID.String()}
	}
	return nil
}

// Close stops reading, waits until the blob's reader is left alone, and says
// what [Reader.Verify] says, or [ErrNotVerified] where it was not asked.
func (r *Reader) Close() error {
	r.cancel()
	if !r.done {
		r.done, r.result = true, ErrNotVerified
		for _, open := <-r.blocks; open; _, open = <-r.blocks {
		}
		<-r.source.done
		<-r.sum.done
	}
	return r.result
}
