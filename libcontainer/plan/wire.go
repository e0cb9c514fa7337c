package plan

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The wire form, all in host byte order (davit and its stage are one build
// for one machine):
//
//	header  u32 magic, u32 steps, u32 values, u32 size of the whole
//	steps   u16 op, u16 number of values, u32 index of the first value
//	values  u64 each: a number; or offset (low 32 bits) and length (high 32)
//	blob    strings end in NUL; a list is u64 offsets that end in 0; all
//	        lists and bytes begin at multiples of 8
//
// Offsets count from the start of the header. stage.c decodes it.
const (
	wireMagic      = 0x54495644 // "DVIT"
	wireHeaderSize = 16
	wireStepSize   = 8
	wireValueSize  = 8
)

// MaxWireSize bounds a plan in bytes; what is larger cannot be a container
// that a kernel would run (arguments and environment end at 6 MiB).
const MaxWireSize = 32 << 20

// Wire encodes the steps for the stage.
func (p *Plan) Wire() ([]byte, error) {
	values := 0
	for _, s := range p.Steps {
		values += len(s.Args)
	}
	head := wireHeaderSize + wireStepSize*len(p.Steps) + wireValueSize*values
	w := &wire{buf: make([]byte, head, head+16<<10)}
	first := 0
	for i, s := range p.Steps {
		w.step(i, s, first)
		for j, kind := range definitions[s.Op].signature {
			at := wireHeaderSize + wireStepSize*len(p.Steps) + wireValueSize*(first+j)
			encoded := w.value(kind, s.Args[j])
			binary.NativeEndian.PutUint64(w.buf[at:], encoded)
		}
		first += len(s.Args)
	}
	if len(w.buf) > MaxWireSize {
		return nil, fmt.Errorf("encoding the plan: %d bytes are more than %d [shorten the arguments, the environment or the list of mounts]", len(w.buf), MaxWireSize)
	}
	w.header(len(p.Steps), values)
	return w.buf, nil
}

type wire struct{ buf []byte }

func (w *wire) header(steps, values int) {
	for i, n := range []int{wireMagic, steps, values, len(w.buf)} {
		binary.NativeEndian.PutUint32(w.buf[4*i:], uint32(n))
	}
}

func (w *wire) step(i int, s Step, first int) {
	at := w.buf[wireHeaderSize+wireStepSize*i:]
	binary.NativeEndian.PutUint16(at, uint16(s.Op))
	binary.NativeEndian.PutUint16(at[2:], uint16(len(s.Args)))
	binary.NativeEndian.PutUint32(at[4:], uint32(first))
}

// value encodes one argument, appending to the blob what is not a number.
func (w *wire) value(kind rune, v Value) uint64 {
	switch kind {
	case kindStr:
		return w.string(v.Str)
	case kindList:
		return w.list(v.List)
	case kindBytes:
		w.align()
		at := len(w.buf)
		w.buf = append(w.buf, v.Bytes...)
		return span(at, len(v.Bytes))
	default:
		return uint64(v.Int)
	}
}

func (w *wire) string(s string) uint64 {
	at := len(w.buf)
	w.buf = append(w.buf, s...)
	w.buf = append(w.buf, 0)
	return span(at, len(s))
}

// list appends the strings' offsets, a zero, and then the strings.
func (w *wire) list(l []string) uint64 {
	w.align()
	at := len(w.buf)
	w.buf = append(w.buf, make([]byte, 8*(len(l)+1))...)
	for i, s := range l {
		offset := w.string(s) & math.MaxUint32
		binary.NativeEndian.PutUint64(w.buf[at+8*i:], offset)
	}
	return span(at, len(l))
}

func (w *wire) align() {
	for len(w.buf)%8 != 0 {
		w.buf = append(w.buf, 0)
	}
}

func span(at, length int) uint64 { return uint64(at) | uint64(length)<<32 }
