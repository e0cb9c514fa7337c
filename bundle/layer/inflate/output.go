package inflate

import (
	"hash/crc32"
	"io"
)

const (
	windowSize = 32 << 10 // how far back a match may reach
	blockSize  = 1 << 20  // how much is handed on at once
	maxMatch   = 258
	// slack is what may be written beyond the limit at which room ends: by the
	// last round of the fast loop three literals, the longest match and the rest
	// of its last word, then by the careful one.
	slack = 3 + maxMatch + 8 + carefulSymbols*maxMatch
)

// BufferSize is how large a buffer of [Buffers] must be.
const BufferSize = windowSize + blockSize + slack

// Buffers is a writer that takes what is decompressed in its own buffers, so that
// nothing is copied.
type Buffers interface {
	io.Writer
	// Buffer is the next buffer to fill, of at least BufferSize bytes.
	Buffer() ([]byte, error)
	// Filled is told which part of that buffer has content. The buffer belongs to
	// the writer again, but is read until the next one is filled.
	Filled(content []byte) error
}

// output is the decompressed stream: a window on it, of which the first part
// is handed on already.
type output struct {
	dst    io.Writer
	own    Buffers // dst, where it has buffers
	buf    []byte
	pos    int // where the next byte goes
	handed int // what is before was handed on
	summed int // what is before was added to sum and size
	base   int // matches may not reach before it
	total  int64
	failed bool   // dst takes no more
	size   uint32 // of the member, modulo 2^32
	sum    uint32 // of the member
}

// begin gets the first buffer.
func (out *output) begin() (err error) {
	if out.own, _ = out.dst.(Buffers); out.own != nil {
		out.buf, err = out.own.Buffer()
		return err
	}
	out.buf = make([]byte, BufferSize)
	return nil
}

// flush hands on what there is, and makes room.
func (out *output) flush() error {
	out.addUp()
	next, err := out.hand(out.buf[out.handed:out.pos])
	if err != nil {
		out.failed = true
		return err
	}
	from := max(0, out.pos-windowSize)
	copy(next, out.buf[from:out.pos])
	out.buf = next
	out.pos -= from
	out.base = max(0, out.base-from)
	out.handed, out.summed = out.pos, out.pos
	return nil
}

// end hands on the rest, also after an error: up to the end of a member.
func (out *output) end() error {
	if out.failed || out.summed == out.handed {
		return nil
	}
	rest := out.buf[out.handed:out.summed]
	out.total += int64(len(rest))
	if out.own != nil {
		return out.own.Filled(rest)
	}
	_, err := out.dst.Write(rest)
	return err
}

// addUp brings the member's checksum and size up to date.
func (out *output) addUp() {
	block := out.buf[out.summed:out.pos]
	out.sum = crc32.Update(out.sum, crc32.IEEETable, block)
	out.size += uint32(len(block))
	out.summed = out.pos
}

// hand hands on a block, and returns the buffer for the next.
func (out *output) hand(block []byte) ([]byte, error) {
	if out.own == nil {
		n, err := out.dst.Write(block)
		out.total += int64(n)
		return out.buf, err
	}
	if err := out.own.Filled(block); err != nil {
		return nil, err
	}
	out.total += int64(len(block))
	return out.own.Buffer()
}

// room makes room for n bytes, at most blockSize.
func (out *output) room(n int) error {
	if len(out.buf)-slack-out.pos >= n {
		return nil
	}
	return out.flush()
}

// match appends length bytes from dist bytes back. There is room.
func (out *output) match(length, dist int) bool {
	if dist > out.pos-out.base {
		return false
	}
	for range length {
		out.buf[out.pos] = out.buf[out.pos-dist]
		out.pos++
	}
	return true
}
