package tarstream

import (
	"bytes"
	"strconv"
	"time"
)

// Fields of a header. Source: ustar in POSIX's pax, GNU's in tar.h.
type field struct{ from, to int }

var (
	fieldName     = field{0, 100}
	fieldMode     = field{100, 108}
	fieldUID      = field{108, 116}
	fieldGID      = field{116, 124}
	fieldSize     = field{124, 136}
	fieldMtime    = field{136, 148}
	fieldSum      = field{148, 156}
	fieldType     = 156
	fieldLink     = field{157, 257}
	fieldMagic    = field{257, 263}
	fieldVersion  = field{263, 265}
	fieldMajor    = field{329, 337}
	fieldMinor    = field{337, 345}
	fieldPrefix   = field{345, 500}
	fieldAtimeGNU = field{345, 357}
	fieldCtimeGNU = field{357, 369}
	// Joerg Schilling's star has a shorter prefix, and a mark at the end.
	fieldPrefixStar = field{345, 476}
	fieldAtimeStar  = field{476, 488}
	fieldCtimeStar  = field{488, 500}
	fieldMarkStar   = field{508, 512}
	// GNU's old sparse files.
	fieldSparse     = field{386, 482}
	fieldIsExtended = 482
	fieldRealSize   = field{483, 495}
)

// parseHeader reads a header into e, and everything else of e is gone.
func parseHeader(e *Entry, h *[blockSize]byte) error {
	if !sumsUp(h) {
		return ErrHeader
	}
	p := parser{header: h}
	*e = Entry{
		Type:  h[fieldType],
		Name:  p.text(fieldName),
		Link:  p.text(fieldLink),
		Mode:  p.number(fieldMode),
		UID:   p.number(fieldUID),
		GID:   p.number(fieldGID),
		Size:  p.number(fieldSize),
		Mtime: time.Unix(p.number(fieldMtime), 0),
	}
	p.beyondV7(e)
	return p.err
}

// beyondV7 reads the fields that V7's headers do not have.
func (p *parser) beyondV7(e *Entry) {
	magic, version := string(p.bytes(fieldMagic)), string(p.bytes(fieldVersion))
	ustar, gnu := magic == "ustar\x00", isGNU(p.header)
	if !ustar && !gnu {
		return
	}
	e.Major, e.Minor = p.number(fieldMajor), p.number(fieldMinor)
	prefix := ""
	switch {
	case gnu:
		prefix = p.gnuTimes(e)
	case string(p.bytes(fieldMarkStar)) == "tar\x00":
		prefix = p.text(fieldPrefixStar)
		e.Atime = time.Unix(p.number(fieldAtimeStar), 0)
		p.number(fieldCtimeStar)
	case version != "":
		prefix = p.text(fieldPrefix)
	}
	if prefix != "" {
		e.Name = prefix + "/" + e.Name
	}
}

// gnuTimes reads the time of access, in a header of GNU's. Some programs took
// it for a header with a prefix: that is returned.
func (p *parser) gnuTimes(e *Entry) string {
	times := parser{header: p.header}
	if p.header[fieldAtimeGNU.from] != 0 {
		e.Atime = time.Unix(times.number(fieldAtimeGNU), 0)
	}
	if p.header[fieldCtimeGNU.from] != 0 {
		times.number(fieldCtimeGNU)
	}
	if times.err == nil {
		return ""
	}
	e.Atime = time.Time{}
	prefix := p.text(fieldPrefix)
	for _, c := range []byte(prefix) {
		if c >= 0x80 {
			return ""
		}
	}
	return prefix
}

func isGNU(h *[blockSize]byte) bool {
	return string(h[fieldMagic.from:fieldVersion.to]) == "ustar  \x00"
}

// sumsUp says whether the header's checksum is right, signed or not.
func sumsUp(h *[blockSize]byte) bool {
	p := parser{header: h}
	want := p.octal(h[fieldSum.from:fieldSum.to])
	var unsigned, signed int64
	for i, c := range h {
		if i >= fieldSum.from && i < fieldSum.to {
			c = ' '
		}
		unsigned += int64(c)
		signed += int64(int8(c))
	}
	return p.err == nil && (want == unsigned || want == signed)
}

// parser reads fields, and keeps the first error.
type parser struct {
	header *[blockSize]byte
	err    error
}

func (p *parser) bytes(f field) []byte { return p.header[f.from:f.to] }

func (p *parser) text(f field) string { return text(p.bytes(f)) }

// number reads a number, octal or binary.
func (p *parser) number(f field) int64 { return p.numeric(p.bytes(f)) }

func (p *parser) numeric(b []byte) int64 {
	if b[0]&0x80 == 0 {
		return p.octal(b)
	}
	var inverted byte
	if b[0]&0x40 != 0 {
		inverted = 0xff
	}
	var x uint64
	for i, c := range b {
		c ^= inverted
		if i == 0 {
			c &= 0x7f
		}
		if x>>56 > 0 {
			p.err = ErrHeader
			return 0
		}
		x = x<<8 | uint64(c)
	}
	if x>>63 > 0 {
		p.err = ErrHeader
		return 0
	}
	if inverted != 0 {
		return ^int64(x)
	}
	return int64(x)
}

func (p *parser) octal(b []byte) int64 {
	b = bytes.Trim(b, " \x00")
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	var x uint64
	for _, c := range b {
		if c < '0' || c > '7' || x>>61 > 0 {
			p.err = ErrHeader
			return 0
		}
		x = x<<3 | uint64(c-'0')
	}
	return int64(x)
}

// decimal reads a number as PAX records write it.
func decimal(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, ErrHeader
	}
	return n, nil
}
