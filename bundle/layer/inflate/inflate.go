package inflate

import "errors"

// ErrCorrupt says that the stream is not what a compressor writes.
var ErrCorrupt = errors.New("corrupt gzip stream")

// inflater decompresses DEFLATE data.
type inflater struct {
	input
	output
	litlen [litlenSize]entry
	dist   [distSize]entry
}

// deflated decompresses up to the end of the last block.
func (d *inflater) deflated() error {
	for {
		header, err := d.bits(3)
		if err != nil {
			return err
		}
		switch header >> 1 {
		case 0:
			err = d.stored()
		case 1:
			d.fixed()
			err = d.compressed()
		case 2:
			if err = d.dynamic(); err == nil {
				err = d.compressed()
			}
		default:
			err = ErrCorrupt
		}
		if err != nil {
			return err
		}
		if header&1 == 1 {
			d.align()
			return nil
		}
	}
}

// stored copies a block that is not compressed.
// Source: RFC 1951, section 3.2.4.
func (d *inflater) stored() error {
	d.align()
	length, err := d.uint(2)
	if err != nil {
		return err
	}
	complement, err := d.uint(2)
	if err != nil {
		return err
	}
	if length^complement != 0xffff {
		return ErrCorrupt
	}
	if err := d.room(int(length)); err != nil {
		return err
	}
	for left := int(length); left > 0; {
		n := copy(d.output.buf[d.output.pos:][:left], d.input.buf[d.input.pos:])
		d.input.pos += n
		d.output.pos += n
		if left -= n; left > 0 && !d.more() {
			return d.ended()
		}
	}
	return nil
}

// fixed makes the tables for blocks that bring none.
// Source: RFC 1951, section 3.2.6.
func (d *inflater) fixed() {
	var lengths [litlenSymbol]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	build(d.litlen[:], litlenBits, lengths[:], litlenSymbols[:])
	var dists [distSymbol]uint8
	for i := range dists {
		dists[i] = 5
	}
	build(d.dist[:], distBits, dists[:], distSymbols[:])
}

// lengthOrder is the order in which the lengths of the length codes come.
// Source: RFC 1951, section 3.2.7.
var lengthOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamic reads the tables of a block.
// Source: RFC 1951, section 3.2.7.
func (d *inflater) dynamic() error {
	header, err := d.bits(14)
	if err != nil {
		return err
	}
	litlens, dists, codes := int(header&31)+257, int(header>>5&31)+1, int(header>>10)+4
	if litlens > 286 || dists > 30 {
		return ErrCorrupt
	}
	var lengths [litlenSymbol + distSymbol]uint8
	for _, i := range lengthOrder[:codes] {
		n, err := d.bits(3)
		if err != nil {
			return err
		}
		lengths[i] = uint8(n)
	}
	var table [1 << lengthBits]entry
	if !build(table[:], lengthBits, lengths[:19], lengthSymbols[:]) {
		return ErrCorrupt
	}
	clear(lengths[:19])
	if err := d.lengths(&table, lengths[:litlens+dists]); err != nil {
		return err
	}
	if lengths[256] == 0 ||
		!build(d.litlen[:], litlenBits, lengths[:litlens], litlenSymbols[:]) ||
		!build(d.dist[:], distBits, lengths[litlens:litlens+dists], distSymbols[:]) {
		return ErrCorrupt
	}
	return nil
}

// lengths reads the lengths of a block's codes.
func (d *inflater) lengths(table *[1 << lengthBits]entry, lengths []uint8) error {
	for i := 0; i < len(lengths); {
		d.refill()
		e := table[d.word&(1<<lengthBits-1)]
		if e&entrySpecial != 0 {
			return ErrCorrupt
		}
		if !d.drop(e.taken()) {
			return d.ended()
		}
		if e.value() < 16 {
			lengths[i] = uint8(e.value())
			i++
			continue
		}
		value, times, err := d.repeat(e.value(), lengths[:i])
		if err != nil {
			return err
		}
		if times > len(lengths)-i {
			return ErrCorrupt
		}
		for range times {
			lengths[i] = value
			i++
		}
	}
	return nil
}

// repeat reads how often a length comes again.
func (d *inflater) repeat(symbol int, before []uint8) (value uint8, times int, err error) {
	base, extra := 3, uint(2)
	switch symbol {
	case 16:
		if len(before) == 0 {
			return 0, 0, ErrCorrupt
		}
		value = before[len(before)-1]
	case 17:
		extra = 3
	case 18:
		base, extra = 11, 7
	}
	more, err := d.bits(extra)
	return value, base + int(more), err
}

// compressed decompresses a block with the tables: fast in the middle of the
// buffers, with care at their ends.
func (d *inflater) compressed() error {
	for {
		if err := d.room(blockSize / 4); err != nil {
			return err
		}
		end, err := d.fast()
		if end || err != nil {
			return err
		}
		end, err = d.careful()
		if end || err != nil {
			return err
		}
	}
}

// carefulSymbols is how many symbols are decoded with care at once.
const carefulSymbols = 16

// careful decodes some symbols, each with a look whether the input has it. It
// reads on where the input's buffer ends.
func (d *inflater) careful() (end bool, err error) {
	for range carefulSymbols {
		d.refill()
		e := d.lookup(d.litlen[:], litlenBits)
		word := d.word
		switch {
		case !d.drop(e.taken()):
			return false, d.ended()
		case e&entryLiteral != 0:
			d.output.buf[d.output.pos] = byte(e.value())
			d.output.pos++
			continue
		case e&entryEnd != 0:
			return true, nil
		case e&entrySpecial != 0:
			return false, ErrCorrupt
		}
		length := e.extra(word)
		d.refill()
		e = d.lookup(d.dist[:], distBits)
		word = d.word
		if !d.drop(e.taken()) {
			return false, d.ended()
		}
		if e&entrySpecial != 0 || !d.match(length, e.extra(word)) {
			return false, ErrCorrupt
		}
	}
	return false, nil
}

// lookup finds the entry for the next bits, through the second step where
// there is one; the bits of the first are then dropped. What is not there in
// the input counts as zero bits: the entry may take more than there are.
func (d *inflater) lookup(table []entry, first uint) entry {
	e := table[d.word&(1<<first-1)]
	if e&entrySecond != 0 {
		if !d.drop(first) {
			return 63 // more than there are
		}
		e = table[e.value()+int(d.word&(1<<e.code()-1))]
	}
	return e
}
