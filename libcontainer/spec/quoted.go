package spec

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// quoted reads a string; its opening quote is next. A string without escapes
// is a part of the text, not a copy.
func (d *decoder) quoted() string {
	start := d.pos + 1
	for i := start; i < len(d.src); i++ {
		switch c := d.src[i]; {
		case c == '"':
			d.pos = i + 1
			return d.src[start:i]
		case c == '\\' || c < ' ' || c >= utf8.RuneSelf:
			return d.unquoted(start, i)
		}
	}
	d.truncated()
	return ""
}

// unquoted reads the string that begins at start and has its first escape,
// control or non-ASCII byte at next. Bytes that are not UTF-8 become U+FFFD.
func (d *decoder) unquoted(start, next int) string {
	d.pos = next
	out := append(make([]byte, 0, 2*(next-start)+32), d.src[start:next]...)
	for d.pos < len(d.src) {
		switch c := d.src[d.pos]; {
		case c == '"':
			d.pos++
			return string(out)
		case c == '\\':
			out = d.escape(out)
		case c < ' ':
			d.fail(d.pos, "control character "+strconv.QuoteRune(rune(c))+" in a string")
			return ""
		case c < utf8.RuneSelf:
			out = append(out, c)
			d.pos++
		default:
			r, size := utf8.DecodeRuneInString(d.src[d.pos:])
			out = utf8.AppendRune(out, r)
			d.pos += size
		}
	}
	d.truncated()
	return ""
}

// escape reads one escape sequence.
func (d *decoder) escape(out []byte) []byte {
	if d.pos+1 >= len(d.src) {
		d.truncated()
		return out
	}
	c := d.src[d.pos+1]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return utf8.AppendRune(out, d.escapedRune())
	default:
		d.fail(d.pos, "unknown escape "+strconv.Quote(d.src[d.pos:d.pos+2])+" in a string")
		return out
	}
	d.pos += 2
	return append(out, c)
}

// escapedRune reads \uXXXX, and a second one where the two are a surrogate
// pair; half a pair alone is U+FFFD.
func (d *decoder) escapedRune() rune {
	r := hex4(d.src, d.pos)
	if r < 0 {
		if strings.Contains(d.src[d.pos:], `"`) {
			d.fail(d.pos, `\u needs four hexadecimal digits`)
		} else {
			d.truncated()
		}
		return utf8.RuneError
	}
	d.pos += 6
	if !utf16.IsSurrogate(r) {
		return r
	}
	pair := utf16.DecodeRune(r, hex4(d.src, d.pos))
	if pair != utf8.RuneError {
		d.pos += 6
	}
	return pair
}

// hex4 is the value of the \uXXXX at a position, or -1.
func hex4(s string, at int) rune {
	if len(s)-at < 6 || s[at] != '\\' || s[at+1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range []byte(s[at+2 : at+6]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return r
}
