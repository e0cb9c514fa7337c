package inflate

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// ErrChecksum says that a member's content is not what was compressed.
var ErrChecksum = errors.New("wrong checksum in gzip stream")

// errHeader says that a member does not begin like one.
var errHeader = fmt.Errorf("%w: not the header of a gzip member", ErrCorrupt)

// Decompress decompresses all members of a gzip stream into dst, in large
// blocks, and returns how many bytes it wrote. It reads src to its end. Where
// dst has buffers of its own ([Buffers]), it fills those.
//
// Errors: [ErrCorrupt], [ErrChecksum], [io.ErrUnexpectedEOF] for a stream that
// stops too early, and those of src and dst.
//
// Source: RFC 1952.
func Decompress(dst io.Writer, src io.Reader) (int64, error) {
	d := &inflater{
		input:  input{src: src, buf: make([]byte, 0, inputSize)},
		output: output{dst: dst},
	}
	if err := d.output.begin(); err != nil {
		return 0, err
	}
	err := d.members()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if flushing := d.output.end(); err == nil {
		err = flushing
	}
	return d.total, err
}

func (d *inflater) members() error {
	for first := true; first || d.input.pos < len(d.input.buf) || d.more(); first = false {
		if err := d.member(); err != nil {
			return err
		}
	}
	if d.input.err != io.EOF {
		return d.input.err
	}
	return nil
}

// member decompresses one member.
// Source: RFC 1952, section 2.3.
func (d *inflater) member() error {
	if err := d.header(); err != nil {
		return err
	}
	d.base, d.sum, d.size = d.output.pos, 0, 0
	if err := d.deflated(); err != nil {
		return err
	}
	d.addUp()
	sum, err := d.uint(4)
	if err != nil {
		return err
	}
	size, err := d.uint(4)
	if err != nil {
		return err
	}
	if sum != d.sum || size != d.size {
		return ErrChecksum
	}
	return nil
}

// Flags of a member's header. Source: RFC 1952, section 2.3.1.
const (
	flagHeaderSum = 1 << 1
	flagExtra     = 1 << 2
	flagName      = 1 << 3
	flagComment   = 1 << 4
	flagsReserved = 0xe0
)

// header reads a member's header, of which nothing is kept.
func (d *inflater) header() error {
	h := &headerReader{input: &d.input}
	if h.byte() != 0x1f || h.byte() != 0x8b || h.byte() != 8 {
		return firstError(h.err, errHeader)
	}
	flags := h.byte()
	h.skip(6)
	if flags&flagsReserved != 0 {
		return firstError(h.err, errHeader)
	}
	if flags&flagExtra != 0 {
		h.skip(int(h.byte()) | int(h.byte())<<8)
	}
	for _, text := range [...]byte{flagName, flagComment} {
		for flags&text != 0 && h.byte() != 0 && h.err == nil {
		}
	}
	if sum := uint16(h.sum); flags&flagHeaderSum != 0 {
		if uint16(h.byte())|uint16(h.byte())<<8 != sum {
			return firstError(h.err, ErrChecksum)
		}
	}
	return h.err
}

// firstError is the error of reading, or else what is wrong with what was read.
func firstError(reading, wrong error) error {
	if reading != nil {
		return reading
	}
	return wrong
}

// headerReader reads bytes and adds them up. After an error it reads zeros.
type headerReader struct {
	*input
	sum uint32
	err error
}

func (h *headerReader) byte() byte {
	if h.err != nil {
		return 0
	}
	b, err := h.input.byte()
	if err != nil {
		h.err = h.ended()
		return 0
	}
	h.sum = crc32.Update(h.sum, crc32.IEEETable, []byte{b})
	return b
}

func (h *headerReader) skip(n int) {
	for range n {
		h.byte()
	}
}
