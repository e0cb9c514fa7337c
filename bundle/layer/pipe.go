package layer

import (
	"bytes"
	"context"
	"fmt"
	"hash"
	"io"
	"sync/atomic"

	"github.com/davit-containers/davit/bundle/layer/inflate"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	// blockSize is what is handed from one goroutine to the next.
	blockSize = 1 << 20
	// inFlight is how many decompressed blocks may wait for each that reads them.
	inFlight = 4
	// sourceSize and sourceInFlight are the same for the blob.
	sourceSize     = 256 << 10
	sourceInFlight = 4
)

// block is a part of a stream that several goroutines read. The last that lets
// it go gives its memory back.
type block struct {
	data []byte
	full []byte // all of its memory
	refs atomic.Int32
	pool *pool
}

func (b *block) release() {
	if b.refs.Add(-1) == 0 {
		b.pool.free <- b
	}
}

// pool is the memory of a stream's blocks, all there will ever be.
type pool struct {
	free chan *block
	left int // blocks that were not needed so far
}

func newPool(blocks int) *pool {
	return &pool{free: make(chan *block, blocks), left: blocks}
}

// take waits for a block of the given capacity.
func (p *pool) take(ctx context.Context, size int) (*block, error) {
	select {
	case b := <-p.free:
		return b, nil
	default:
	}
	if p.left > 0 {
		p.left--
		return &block{full: make([]byte, 0, size), pool: p}, nil
	}
	select {
	case b := <-p.free:
		return b, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// fanOut hands blocks to several readers.
type fanOut struct {
	ctx  context.Context
	pool *pool
	to   []chan<- *block
	// filling is the block whose buffer is being filled.
	filling *block
}

// Buffer is a buffer to decompress into.
func (f *fanOut) Buffer() ([]byte, error) {
	var err error
	if f.filling, err = f.pool.take(f.ctx, inflate.BufferSize); err != nil {
		return nil, err
	}
	return f.filling.full[:inflate.BufferSize], nil
}

// Filled hands on a part of that buffer.
func (f *fanOut) Filled(content []byte) error {
	f.filling.data = content
	return f.send(f.filling)
}

// Write hands on a copy of p.
func (f *fanOut) Write(p []byte) (int, error) {
	n, err := f.ReadFrom(bytes.NewReader(p))
	return int(n), err
}

// ReadFrom hands on what it reads, in full blocks.
func (f *fanOut) ReadFrom(r io.Reader) (total int64, err error) {
	for err == nil {
		b, taking := f.pool.take(f.ctx, blockSize)
		if taking != nil {
			return total, taking
		}
		b.data, err = fill(b.full, r)
		total += int64(len(b.data))
		if sending := f.send(b); sending != nil {
			return total, sending
		}
	}
	if err == io.EOF {
		err = nil
	}
	return total, err
}

// fill appends to p, up to its capacity, what it reads. Other than io.ReadFull
// it returns the reader's own error, so that an end is told from a broken one.
func fill(p []byte, r io.Reader) (_ []byte, err error) {
	for len(p) < cap(p) && err == nil {
		var n int
		n, err = r.Read(p[len(p):cap(p)])
		p = p[:len(p)+n]
	}
	return p, err
}

func (f *fanOut) send(b *block) error {
	b.refs.Store(int32(len(f.to)))
	for _, to := range f.to {
		select {
		case to <- b:
		case <-f.ctx.Done():
			return context.Cause(f.ctx)
		}
	}
	return nil
}

func (f *fanOut) close() {
	for _, to := range f.to {
		close(to)
	}
}

// source reads a blob ahead, and hashes it.
type source struct {
	ctx    context.Context
	blocks chan *block
	pool   *pool
	hash   *hasher // nil where the decompressed stream's hash is the blob's
	done   chan struct{}
	// After done:
	read int64
	err  error

	current *block
	rest    []byte
}

func newSource(ctx context.Context, r io.Reader, size int64, digest *hasher) *source {
	s := &source{ctx: ctx, hash: digest, done: make(chan struct{}), blocks: make(chan *block, sourceInFlight), pool: newPool(sourceInFlight + 2)}
	go func() {
		defer close(s.done)
		defer close(s.blocks)
		s.err = s.pump(r, size)
	}()
	return s
}

// pump reads the blob, and one byte more than it may have.
func (s *source) pump(r io.Reader, size int64) error {
	for s.read <= size {
		b, err := s.pool.take(s.ctx, sourceSize)
		if err != nil {
			return err
		}
		b.data, err = fill(b.full[:0:min(sourceSize, size+1-s.read)], r)
		s.read += int64(len(b.data))
		if s.hash != nil {
			s.hash.Write(b.data)
		}
		b.refs.Store(1)
		select {
		case s.blocks <- b:
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading layer: %w", err)
		}
	}
	return fmt.Errorf("verifying layer: it is longer than its size of %d bytes", size)
}

// Read is for what decompresses. The end that it reports is the blob's only
// where nothing went wrong in between.
func (s *source) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		if s.current != nil {
			s.current.release()
			s.current = nil
		}
		b, open := <-s.blocks
		if !open {
			<-s.done
			if s.err != nil {
				return 0, s.err
			}
			return 0, io.EOF
		}
		s.current, s.rest = b, b.data
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// drain reads what decompressing left, so that all of the blob is hashed.
func (s *source) drain() {
	if s.current != nil {
		s.current.release()
		s.current, s.rest = nil, nil
	}
	for b := range s.blocks {
		b.release()
	}
}

// hasher computes a hash of a kind that images name.
type hasher struct {
	hash.Hash
	algorithm string
}

func newHasher(want v1.Hash) (*hasher, error) {
	h, err := v1.Hasher(want.Algorithm)
	if err != nil {
		return nil, fmt.Errorf("opening layer: digest %q: %w", want.String(), err)
	}
	return &hasher{h, want.Algorithm}, nil
}

func (h *hasher) sum() v1.Hash {
	return v1.Hash{Algorithm: h.algorithm, Hex: fmt.Sprintf("%x", h.Sum(nil))}
}

// summer hashes the decompressed stream.
type summer struct {
	hash *hasher
	done chan struct{}
}

func newSummer(blocks <-chan *block, h *hasher) *summer {
	s := &summer{hash: h, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for b := range blocks {
			h.Write(b.data)
			b.release()
		}
	}()
	return s
}
