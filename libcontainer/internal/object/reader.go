package object

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Reader reads JSON from memory, one value after the other.
type Reader struct {
	data []byte
	pos  int
}

// NewReader reads data.
func NewReader(data []byte) *Reader { return &Reader{data: data} }

func (r *Reader) errorf(format string, args ...any) error {
	return fmt.Errorf("offset %d: %s", r.pos, fmt.Sprintf(format, args...))
}

// peek skips white space and returns the next byte, 0 at the end.
func (r *Reader) peek() byte {
	for ; r.pos < len(r.data); r.pos++ {
		switch c := r.data[r.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

func (r *Reader) expect(c byte) error {
	if got := r.peek(); got != c {
		return r.errorf("want %q, got %q", c, got)
	}
	r.pos++
	return nil
}

// Object calls value for each key of an object. value reads what follows.
func (r *Reader) Object(value func(key string) error) error {
	if err := r.expect('{'); err != nil {
		return err
	}
	if r.peek() == '}' {
		r.pos++
		return nil
	}
	for {
		if err := r.member(value); err != nil {
			return err
		}
		if r.peek() != ',' {
			return r.expect('}')
		}
		r.pos++
	}
}

func (r *Reader) member(value func(key string) error) error {
	var key string
	if err := r.Text(&key); err != nil {
		return err
	}
	if err := r.expect(':'); err != nil {
		return err
	}
	return value(key)
}

// Texts reads an object of strings.
func (r *Reader) Texts(v *map[string]string) error {
	m := map[string]string{}
	*v = m
	return r.Object(func(key string) error {
		var s string
		err := r.Text(&s)
		m[key] = s
		return err
	})
}

// Int reads a number that is not negative and has 32 bits.
func (r *Reader) Int(v *int) error {
	var n uint64
	if err := r.Number(&n); err != nil {
		return err
	}
	if n > 1<<32 {
		return r.errorf("%d is too large", n)
	}
	*v = int(n)
	return nil
}

// Number reads a number that is not negative.
func (r *Reader) Number(v *uint64) error {
	r.peek()
	start := r.pos
	for r.pos < len(r.data) && '0' <= r.data[r.pos] && r.data[r.pos] <= '9' {
		r.pos++
	}
	n, err := strconv.ParseUint(string(r.data[start:r.pos]), 10, 64)
	if err != nil {
		return r.errorf("want a number")
	}
	*v = n
	return nil
}

// Text reads a string. Bytes that are not UTF-8 are kept, as paths must.
func (r *Reader) Text(v *string) error {
	if err := r.expect('"'); err != nil {
		return err
	}
	start := r.pos
	for r.pos < len(r.data) {
		switch c := r.data[r.pos]; {
		case c == '"':
			*v = string(r.data[start:r.pos])
			r.pos++
			return nil
		case c == '\\':
			return r.escapedText(v, start)
		case c < ' ':
			return r.errorf("control character in a string")
		}
		r.pos++
	}
	return r.errorf("string without an end")
}

// escapedText reads the string that began at start, and has its first
// backslash here.
func (r *Reader) escapedText(v *string, start int) error {
	buf := append([]byte(nil), r.data[start:r.pos]...)
	for r.pos < len(r.data) {
		c := r.data[r.pos]
		r.pos++
		switch {
		case c == '"':
			*v = string(buf)
			return nil
		case c == '\\':
			var err error
			if buf, err = r.escape(buf); err != nil {
				return err
			}
		case c < ' ':
			return r.errorf("control character in a string")
		default:
			buf = append(buf, c)
		}
	}
	return r.errorf("string without an end")
}

// escape appends what stands behind a backslash.
func (r *Reader) escape(buf []byte) ([]byte, error) {
	if r.pos == len(r.data) {
		return nil, r.errorf("string without an end")
	}
	c := r.data[r.pos]
	r.pos++
	switch c {
	case '"', '\\', '/':
		return append(buf, c), nil
	case 'u':
		return r.unicode(buf)
	}
	if i := bytes.IndexByte([]byte("bfnrt"), c); i >= 0 {
		return append(buf, "\b\f\n\r\t"[i]), nil
	}
	return nil, r.errorf("unknown escape %q", c)
}

// unicode appends the character behind \u, of two such where they are a
// surrogate pair.
func (r *Reader) unicode(buf []byte) ([]byte, error) {
	c, err := r.hex4()
	if err != nil {
		return nil, err
	}
	if utf16.IsSurrogate(c) && bytes.HasPrefix(r.data[r.pos:], []byte(`\u`)) {
		r.pos += 2
		low, err := r.hex4()
		if err != nil {
			return nil, err
		}
		c = utf16.DecodeRune(c, low)
	}
	return utf8.AppendRune(buf, c), nil
}

func (r *Reader) hex4() (rune, error) {
	if len(r.data)-r.pos < 4 {
		return 0, r.errorf("string without an end")
	}
	n, err := strconv.ParseUint(string(r.data[r.pos:r.pos+4]), 16, 16)
	if err != nil {
		return 0, r.errorf("want four hexadecimal digits")
	}
	r.pos += 4
	return rune(n), nil
}

// Raw takes one value as it stands. Only its brackets and strings are looked
// at, which is what its end depends on.
func (r *Reader) Raw(v *[]byte) error {
	c := r.peek()
	start := r.pos
	var err error
	switch c {
	case '{', '[':
		err = r.skipNested()
	case '"':
		err = r.skipText()
	default:
		err = r.skipLiteral()
	}
	*v = r.data[start:r.pos:r.pos]
	return err
}

func (r *Reader) skipNested() error {
	depth := 0
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case '"':
			if err := r.skipText(); err != nil {
				return err
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		r.pos++
		if depth == 0 {
			return nil
		}
	}
	return r.errorf("value without an end")
}

func (r *Reader) skipText() error {
	for i := r.pos + 1; i < len(r.data); i++ {
		switch r.data[i] {
		case '\\':
			i++
		case '"':
			r.pos = i + 1
			return nil
		}
	}
	return r.errorf("string without an end")
}

// skipLiteral skips a number, true, false or null.
func (r *Reader) skipLiteral() error {
	start := r.pos
	for r.pos < len(r.data) && inLiteral(r.data[r.pos]) {
		r.pos++
	}
	if r.pos == start {
		return r.errorf("want a value")
	}
	return nil
}

func inLiteral(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '+' || c == '-' || c == '.'
}

// Flag reads a JSON true; whatever else is false.
func (r *Reader) Flag(v *bool) error {
	var text []byte
	err := r.Raw(&text)
	*v = string(text) == "true"
	return err
}

// List reads an array of strings.
func (r *Reader) List(v *[]string) error {
	if err := r.expect('['); err != nil {
		return err
	}
	list := []string{}
	for r.peek() != ']' {
		if len(list) > 0 {
			if err := r.expect(','); err != nil {
				return err
			}
		}
		var s string
		if err := r.Text(&s); err != nil {
			return err
		}
		list = append(list, s)
	}
	*v = list
	return r.expect(']')
}

// Rest takes the last field's value, up to the object's end, without a look
// into it.
func (r *Reader) Rest(v *[]byte) error {
	end := len(bytes.TrimRight(r.data, " \t\r\n")) - 1
	if end < r.pos || r.data[end] != '}' {
		return r.errorf("the end is missing")
	}
	*v = r.data[r.pos:end:end]
	r.pos = end
	return nil
}
