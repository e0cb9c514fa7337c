package object

import (
	"maps"
	"slices"
	"strconv"
)

// Writer appends the fields of one JSON object. Strings keep their bytes, UTF-8
// or not, as paths must.
type Writer struct{ buf []byte }

// NewWriter begins an object. Its parts are written one after the other.
func NewWriter() *Writer { return &Writer{buf: make([]byte, 0, 512)} }

// Open is the object so far, without its end.
func (w *Writer) Open() []byte { return w.buf }

// Close is the object.
func (w *Writer) Close() []byte {
	if len(w.buf) == 0 {
		return []byte("{}")
	}
	return append(w.buf, '}')
}

// Key begins a field, whose value follows.
func (w *Writer) Key(name string) {
	sep := byte(',')
	if len(w.buf) == 0 {
		sep = '{'
	}
	w.buf = append(w.buf, sep)
	w.buf = appendText(w.buf, name)
	w.buf = append(w.buf, ':')
}

// Number appends a number.
func (w *Writer) Number(name string, v uint64) {
	w.Key(name)
	w.buf = strconv.AppendUint(w.buf, v, 10)
}

// Text appends a string.
func (w *Writer) Text(name, v string) {
	w.Key(name)
	w.buf = appendText(w.buf, v)
}

// Flag appends what is true, and nothing else.
func (w *Writer) Flag(name string, v bool) {
	if v {
		w.Raw(name, []byte("true"))
	}
}

// Raw appends a JSON value as it is, and nothing where there is none.
func (w *Writer) Raw(name string, v []byte) {
	if len(v) == 0 {
		return
	}
	w.Key(name)
	w.buf = append(w.buf, v...)
}

// Texts appends an object of strings, sorted, and nothing where there is none.
func (w *Writer) Texts(name string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	w.Key(name)
	inner := &Writer{}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		inner.Text(k, m[k])
	}
	w.buf = append(w.buf, inner.Close()...)
}

// List appends an array of strings, and nothing where there is none.
func (w *Writer) List(name string, list []string) {
	if len(list) == 0 {
		return
	}
	w.Key(name)
	sep := byte('[')
	for _, s := range list {
		w.buf = appendText(append(w.buf, sep), s)
		sep = ','
	}
	w.buf = append(w.buf, ']')
}

func appendText(buf []byte, s string) []byte {
	const hex = "0123456789abcdef"
	buf = append(buf, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			buf = append(buf, '\\', c)
		case c < ' ':
			buf = append(buf, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			buf = append(buf, c)
		}
	}
	return append(buf, '"')
}
