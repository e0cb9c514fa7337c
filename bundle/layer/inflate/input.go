package inflate

import (
	"encoding/binary"
	"io"
)

// inputSize is how much is read at once, in bytes.
const inputSize = 128 << 10

// keep is how many bytes before the position stay in the buffer: those that
// may still be in word.
const keep = 8

// input is the compressed stream, taken bit by bit. Bits of word above count
// are those that follow in buf, or zero.
type input struct {
	src   io.Reader
	buf   []byte
	pos   int
	err   error // why buf gets no more
	word  uint64
	count uint
}

// more reads on, and reports whether there is more in buf than before.
func (in *input) more() bool {
	from := max(0, in.pos-keep)
	n := copy(in.buf[:cap(in.buf)], in.buf[from:])
	in.pos -= from
	in.buf = in.buf[:n]
	for idle := 0; in.err == nil && idle < 100; idle++ {
		m, err := in.src.Read(in.buf[n:cap(in.buf)])
		in.buf, in.err = in.buf[:n+m], err
		if m > 0 {
			return true
		}
	}
	if in.err == nil {
		in.err = io.ErrNoProgress
	}
	return false
}

// ended is the error for an input that stops too early.
func (in *input) ended() error {
	if in.err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return in.err
}

// refill gives word at least 56 bits, where the input has them.
func (in *input) refill() {
	if len(in.buf)-in.pos >= 8 {
		in.word |= binary.LittleEndian.Uint64(in.buf[in.pos:]) << (in.count & 63)
		in.pos += int((63 - in.count) >> 3)
		in.count |= 56
		return
	}
	for in.count < 56 {
		if in.pos == len(in.buf) && !in.more() {
			return
		}
		in.word |= uint64(in.buf[in.pos]) << (in.count & 63)
		in.pos++
		in.count += 8
	}
}

// drop takes bits away that word has.
func (in *input) drop(n uint) bool {
	if n > in.count {
		return false
	}
	in.word >>= n & 63
	in.count -= n
	return true
}

// bits takes up to 32 bits.
func (in *input) bits(n uint) (uint32, error) {
	if in.count < n {
		in.refill()
	}
	v := uint32(in.word & (1<<n - 1))
	if !in.drop(n) {
		return 0, in.ended()
	}
	return v, nil
}

// align goes to the next whole byte, and leaves nothing in word.
func (in *input) align() {
	in.pos -= int(in.count >> 3)
	in.word, in.count = 0, 0
}

// byte takes one byte of an aligned input. io.EOF: there is none.
func (in *input) byte() (byte, error) {
	if in.pos == len(in.buf) && !in.more() {
		return 0, in.err
	}
	in.pos++
	return in.buf[in.pos-1], nil
}

// uint takes a number of n bytes, least significant first.
func (in *input) uint(n uint) (v uint32, err error) {
	for shift := uint(0); shift < 8*n; shift += 8 {
		b, err := in.byte()
		if err != nil {
			return 0, in.ended()
		}
		v |= uint32(b) << shift
	}
	return v, nil
}
