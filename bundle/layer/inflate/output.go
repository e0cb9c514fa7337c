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

// output is the decompressed stream: a window on it, of which the first part
// is handed on already.
type output struct {
	dst    io.Writer
	buf    []byte
	pos    int // where the next byte goes
	handed int // what is before was handed on
	base   int // matches may not reach before it
	total  int64
	size   uint32 // of the member, modulo 2^32
	sum    uint32 // of the member
}

// flush hands on what there is, and makes room.
func (out *output) flush() error {
	block := out.buf[out.handed:out.pos]
	out.sum = crc32.Update(out.sum, crc32.IEEETable, block)
	out.size += uint32(len(block))
	n, err := out.dst.Write(block)
	out.total += int64(n)
	if err != nil {
		return err
	}
	from := max(0, out.pos-windowSize)
	copy(out.buf, out.buf[from:out.pos])
	out.pos -= from
	out.base = max(0, out.base-from)
	out.handed = out.pos
	return nil
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
