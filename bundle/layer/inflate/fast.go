package inflate

import "encoding/binary"

// fastInput is how many bytes of input one round of the fast loop may look at.
const fastInput = 2 * 8

// fast decodes while the input's buffer has enough for one more round and the
// output's room. It works on copies of the fields, which stay in registers.
//
// One refill, of 56 bits or more, serves two literals and the code of a length
// (11+11+15 bits and 5 extra), the next one the distance (15 bits and 13 extra).
func (d *inflater) fast() (end bool, err error) {
	in, pos := d.input.buf, d.input.pos
	word, count := d.word, d.count
	out, at := d.output.buf, d.output.pos
	litlen, dist := &d.litlen, &d.dist
	lastIn, lastOut := len(in)-fastInput, len(out)-slack
loop:
	for pos <= lastIn && at < lastOut {
		word |= binary.LittleEndian.Uint64(in[pos:]) << (count & 63)
		pos += int((63 - count) >> 3)
		count |= 56

		e := litlen[word&(1<<litlenBits-1)]
		if e&entryLiteral != 0 {
			word >>= e & 63
			count -= uint(e & 63)
			out[at] = byte(e >> 16)
			at++
			e = litlen[word&(1<<litlenBits-1)]
			if e&entryLiteral != 0 {
				word >>= e & 63
				count -= uint(e & 63)
				out[at] = byte(e >> 16)
				at++
				e = litlen[word&(1<<litlenBits-1)]
			}
		}
		if e&entrySecond != 0 {
			word >>= litlenBits
			count -= litlenBits
			e = litlen[e.value()+int(word&(1<<e.code()-1))]
		}
		code := word
		word >>= e & 63
		count -= uint(e & 63)
		if e&entryLiteral != 0 {
			out[at] = byte(e >> 16)
			at++
			continue
		}
		if e&entrySpecial != 0 {
			end = e&entryEnd != 0
			if !end {
				err = ErrCorrupt
			}
			break
		}
		length := e.extra(code)

		word |= binary.LittleEndian.Uint64(in[pos:]) << (count & 63)
		pos += int((63 - count) >> 3)
		count |= 56
		e = dist[word&(1<<distBits-1)]
		if e&entrySecond != 0 {
			word >>= distBits
			count -= distBits
			e = dist[e.value()+int(word&(1<<e.code()-1))]
		}
		back := e.extra(word)
		word >>= e & 63
		count -= uint(e & 63)
		if e&entrySpecial != 0 || back > at-d.base {
			err = ErrCorrupt
			break
		}
		from := at - back
		switch {
		case back >= 8:
			for stop := at + length; ; {
				binary.LittleEndian.PutUint64(out[at:], binary.LittleEndian.Uint64(out[from:]))
				at, from = at+8, from+8
				if at >= stop {
					at = stop
					continue loop
				}
			}
		case back == 1:
			b := out[from]
			run := out[at : at+length]
			for i := range run {
				run[i] = b
			}
			at += length
		default:
			for stop := at + length; at < stop; at, from = at+1, from+1 {
				out[at] = out[from]
			}
		}
	}
	d.input.pos, d.word, d.count, d.output.pos = pos, word, count, at
	return end, err
}
