package inflate

import "math/bits"

// Codes have at most maxBits bits. A table is looked up with the next bits of
// the input, as many as the table has for its first step; longer codes go on
// in a second part of the table.
const (
	maxBits      = 15
	litlenBits   = 11
	distBits     = 8
	lengthBits   = 7 // of the codes that lengths of codes are written in
	litlenSymbol = 288
	distSymbol   = 32

	// The sizes that a table for so many symbols and so many bits in the first
	// step can need at most, found by zlib's enough.c.
	litlenSize = 2342
	distSize   = 402
)

// entry is what a table says about the next bits:
//
//	bits 0-7    how many bits it takes, extra bits included
//	bits 8-11   how many of these are the code's, or, to a second step, how many bits that step has
//	bit  13     end of the block
//	bit  14     go on in the second step, which begins at bits 16-30
//	bit  15     one of the two above, or no code at all
//	bits 16-30  the literal, the base of the length or of the distance
//	bit  31     a literal
type entry uint32

const (
	entryEnd     entry = 1 << 13
	entrySecond  entry = 1 << 14
	entrySpecial entry = 1 << 15
	entryLiteral entry = 1 << 31
	entryInvalid       = entrySpecial
)

// taken is how many bits the entry takes of the input.
func (e entry) taken() uint { return uint(e & 63) }

// value is the literal, base or beginning.
func (e entry) value() int { return int(e >> 16 & 0x7fff) }

// code is the number of bits of the code alone, or of the second step.
func (e entry) code() uint { return uint(e >> 8 & 15) }

// extra adds to the base what the bits after the code say. word begins with the code.
func (e entry) extra(word uint64) int {
	return e.value() + int(word&(1<<e.taken()-1)>>e.code())
}

// Symbols without the code: base or literal, the number of extra bits in bits
// 0-7, and flags. Source: RFC 1951, section 3.2.5.
var (
	litlenSymbols = makeLitlenSymbols()
	distSymbols   = makeDistSymbols()
	lengthSymbols = makeLengthSymbols()
)

func makeLitlenSymbols() (s [litlenSymbol]entry) {
	for i := range 256 {
		s[i] = entryLiteral | entry(i)<<16
	}
	s[256] = entrySpecial | entryEnd
	base := 3
	for i := range 28 {
		extra := max(0, i/4-1)
		s[257+i] = entry(base)<<16 | entry(extra)
		base += 1 << extra
	}
	s[285] = 258 << 16
	s[286], s[287] = entryInvalid, entryInvalid
	return s
}

func makeDistSymbols() (s [distSymbol]entry) {
	base := 1
	for i := range 30 {
		extra := max(0, i/2-1)
		s[i] = entry(base)<<16 | entry(extra)
		base += 1 << extra
	}
	s[30], s[31] = entryInvalid, entryInvalid
	return s
}

func makeLengthSymbols() (s [19]entry) {
	for i := range s {
		s[i] = entry(i) << 16
	}
	return s
}

// build fills a table for codes of the given lengths, 0 for a symbol without a
// code. It reports whether the lengths make a complete code; a single code of
// one bit may stand alone, and there may be no code at all, as in blocks
// without a match.
//
// Source: RFC 1951, section 3.2.2.
func build(table []entry, first uint, lengths []uint8, symbols []entry) bool {
	var count, next [maxBits + 2]int
	for _, n := range lengths {
		count[n]++
	}
	count[0] = 0
	used, left := 0, 1
	for n := 1; n <= maxBits; n++ {
		left = left<<1 - count[n]
		if left < 0 {
			return false
		}
		next[n+1] = next[n] + count[n]
		used += count[n]
	}
	if left > 0 && !(used == 0 || used == 1 && count[1] == 1) {
		return false
	}
	if left > 0 {
		for i := range 1 << first {
			table[i] = entryInvalid
		}
	}
	var sorted [litlenSymbol]uint16
	for symbol, n := range lengths {
		if n > 0 {
			sorted[next[n]] = uint16(symbol)
			next[n]++
		}
	}
	b := builder{table: table, first: first, size: 1 << first, count: count, second: -1}
	for _, symbol := range sorted[:used] {
		b.add(uint(lengths[symbol]), symbols[symbol])
	}
	return true
}

// builder adds codes in their order.
type builder struct {
	table  []entry
	first  uint // bits of the first step
	size   int  // of the table so far
	count  [maxBits + 2]int
	code   uint // next code, of length bits
	length uint
	second int // prefix of the current second step
	begin  int // of it
	bits   uint
}

func (b *builder) add(length uint, symbol entry) {
	b.code <<= length - b.length
	b.length = length
	reversed := int(bits.Reverse16(uint16(b.code)) >> (16 - length))
	b.code++
	if length <= b.first {
		e := symbol + entry(length)<<8 + entry(length)
		for i := reversed; i < 1<<b.first; i += 1 << length {
			b.table[i] = e
		}
	} else {
		b.addSecond(length, symbol, reversed)
	}
	b.count[length]--
}

func (b *builder) addSecond(length uint, symbol entry, reversed int) {
	prefix := reversed & (1<<b.first - 1)
	if prefix != b.second {
		b.open(length, prefix)
	}
	rest := length - b.first
	e := symbol + entry(rest)<<8 + entry(rest)
	for i := reversed >> b.first; i < 1<<b.bits; i += 1 << rest {
		b.table[b.begin+i] = e
	}
}

// open begins the second step for a prefix: as many bits as the longest of the
// codes with that prefix needs, which follow one another.
func (b *builder) open(length uint, prefix int) {
	b.second, b.begin, b.bits = prefix, b.size, length-b.first
	for left := 1 << b.bits; b.first+b.bits < maxBits; left <<= 1 {
		left -= b.count[b.first+b.bits]
		if left <= 0 {
			break
		}
		b.bits++
	}
	b.size += 1 << b.bits
	b.table[prefix] = entrySpecial | entrySecond | entry(b.begin)<<16 | entry(b.bits)<<8 | entry(b.first)
}
