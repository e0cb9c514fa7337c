package spec

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// maxDepth bounds nesting; the deepest field of specs.Spec is 7 levels down.
	maxDepth = 64
	// maxElements bounds the elements of all arrays and maps of a document: one
	// of three bytes of text can take 120 bytes of memory. 100,000 mounts, the
	// kernel's default limit, with nine options each stay below it.
	maxElements = 1 << 20
	// maxShown bounds how much of a name is repeated in an error.
	maxShown = 64
)

// decoder reads one JSON document. The first error sticks, and moves the
// position to the end, so that every loop ends.
type decoder struct {
	document string
	src      string
	pos      int
	budget   int // elements that may still come
	depth    int
	frames   [maxDepth]frame
	err      *DecodeError
}

// frame is an object or array that is being read.
type frame struct {
	end   byte   // '}' or ']'
	isMap bool   // an object whose keys are data
	named bool   // the member being read is known
	name  string // of that member, in an object
	count int    // of members begun
}

// fail records an error at a byte, unless there is one already.
func (d *decoder) fail(at int, reason string) {
	if d.err == nil {
		d.err = &DecodeError{Document: d.document, Field: d.field(), Offset: at, Reason: reason}
	}
	d.pos = len(d.src)
}

// field is the name of the place being read, such as "mounts[2].options[0]".
func (d *decoder) field() string {
	var b strings.Builder
	for i := range d.depth {
		switch f := &d.frames[i]; {
		case !f.named:
		case f.end == ']':
			b.WriteString("[" + strconv.Itoa(f.count-1) + "]")
		case f.isMap:
			b.WriteString("[" + shown(f.name) + "]")
		case b.Len() > 0:
			b.WriteString("." + plain(f.name))
		default:
			b.WriteString(plain(f.name))
		}
	}
	return b.String()
}

// shown quotes a string of the document for an error, on one line and short.
func shown(s string) string {
	if len(s) > maxShown {
		return strconv.Quote(s[:maxShown]) + "..."
	}
	return strconv.Quote(s)
}

// plain is a member's name as it is where it is a simple one, else quoted.
func plain(name string) string {
	simple := func(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' || r >= '0' && r <= '9' }
	if name == "" || len(name) > maxShown || strings.TrimFunc(name, simple) != "" {
		return shown(name)
	}
	return name
}

// peek skips white space and returns the byte that follows, 0 at the end.
func (d *decoder) peek() byte {
	for d.pos < len(d.src) {
		switch c := d.src[d.pos]; c {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return c
		}
	}
	return 0
}

// end expects that nothing follows.
func (d *decoder) end() {
	d.peek()
	if d.pos < len(d.src) {
		d.depth = 0
		d.fail(d.pos, "expected nothing more, got "+d.found())
	}
}

// mismatch fails because something else than the wanted kind of value is next.
func (d *decoder) mismatch(want string) {
	d.peek()
	if d.pos >= len(d.src) {
		d.truncated()
		return
	}
	d.fail(d.pos, "expected "+want+", got "+d.found())
}

// truncated fails at the end of the text.
func (d *decoder) truncated() {
	reason := "the text is truncated"
	if strings.TrimLeft(d.src, " \t\r\n") == "" {
		reason = "the text is empty"
	}
	d.fail(len(d.src), reason)
}

// found names the kind of value at the position.
func (d *decoder) found() string {
	switch c := d.src[d.pos]; {
	case c == '"':
		return "a string"
	case c == '{':
		return "an object"
	case c == '[':
		return "an array"
	case c == '-' || c >= '0' && c <= '9':
		return "a number"
	}
	rest := d.src[d.pos:]
	switch {
	case strings.HasPrefix(rest, "null"):
		return "null"
	case strings.HasPrefix(rest, "true"), strings.HasPrefix(rest, "false"):
		return "a boolean"
	}
	_, size := utf8.DecodeRuneInString(rest)
	return strconv.Quote(rest[:size])
}

// literal consumes a word that must be next.
func (d *decoder) literal(word string) bool {
	rest := d.src[d.pos:]
	if strings.HasPrefix(rest, word) {
		d.pos += len(word)
		return true
	}
	if strings.HasPrefix(word, rest) {
		d.truncated()
	} else {
		d.fail(d.pos, "expected a value, got "+d.found())
	}
	return false
}

// null consumes null if that is next.
func (d *decoder) null() bool {
	return d.peek() == 'n' && d.literal("null")
}

// enter begins an object ('{') or an array ('['). It returns false where null
// or an error stands there.
func (d *decoder) enter(open byte) bool {
	if d.null() || d.err != nil {
		return false
	}
	if d.peek() != open {
		d.mismatch(kindOf(open))
		return false
	}
	if d.depth == maxDepth {
		d.fail(d.pos, "nested deeper than "+strconv.Itoa(maxDepth)+" levels")
		return false
	}
	d.frames[d.depth] = frame{end: open + 2} // both closing brackets are two after the opening ones
	d.depth++
	d.pos++
	return true
}

func kindOf(open byte) string {
	if open == '{' {
		return "an object"
	}
	return "an array"
}

// more tells whether another member follows in the object or array that was
// entered last, having consumed the comma before it, or leaves it.
func (d *decoder) more() bool {
	if d.err != nil {
		return false
	}
	f := &d.frames[d.depth-1]
	switch c := d.peek(); {
	case c == f.end:
		d.pos++
		d.depth--
		return false
	case f.count > 0 && c != ',':
		d.mismatch(`"," or "` + string(f.end) + `"`)
		return false
	case f.count > 0:
		d.pos++
	}
	f.count++
	f.named = f.end == ']'
	return true
}

// key reads a member's name and the colon.
func (d *decoder) key() string {
	if d.peek() != '"' {
		d.mismatch("a name in quotes")
		return ""
	}
	name := d.quoted()
	f := &d.frames[d.depth-1]
	f.named, f.name = true, name
	if d.err == nil && d.peek() != ':' {
		d.mismatch(`":"`)
	}
	d.pos = min(d.pos+1, len(d.src))
	return name
}

// member reads a member's name and finds it in a list: exactly, else without
// regard to case, as encoding/json does. It returns -1 for another name.
func (d *decoder) member(names []string) int {
	key := d.key()
	if d.err != nil {
		return -1
	}
	for i, name := range names {
		if name == key {
			return i
		}
	}
	for i, name := range names {
		if strings.EqualFold(name, key) {
			d.frames[d.depth-1].name = name
			return i
		}
	}
	return -1
}

// skip reads a value that nobody wants, as strictly as any other.
func (d *decoder) skip() {
	switch c := d.peek(); c {
	case '{':
		for ok := d.enter(c); ok && d.more(); {
			d.key()
			d.skip()
		}
	case '[':
		for ok := d.enter(c); ok && d.more(); {
			d.skip()
		}
	case '"':
		d.quoted()
	case 't':
		d.literal("true")
	case 'f':
		d.literal("false")
	case 'n':
		d.literal("null")
	default:
		d.number()
	}
}

// number reads a number and tells whether it has neither fraction nor exponent.
func (d *decoder) number() (text string, whole bool) {
	if c := d.peek(); c != '-' && (c < '0' || c > '9') {
		d.mismatch("a value")
		return "", false
	}
	start := d.pos
	d.take('-', '-')
	if !d.take('0', '0') {
		d.digits()
	}
	whole = true
	if d.take('.', '.') {
		whole = false
		d.digits()
	}
	if d.take('e', 'E') {
		whole = false
		d.take('+', '-')
		d.digits()
	}
	return d.src[start:d.pos], whole
}

// take consumes one of two bytes if it is next.
func (d *decoder) take(a, b byte) bool {
	if d.pos < len(d.src) && (d.src[d.pos] == a || d.src[d.pos] == b) {
		d.pos++
		return true
	}
	return false
}

// digits reads one digit or more.
func (d *decoder) digits() {
	start := d.pos
	for d.pos < len(d.src) && d.src[d.pos] >= '0' && d.src[d.pos] <= '9' {
		d.pos++
	}
	switch {
	case d.pos > start:
	case d.pos == len(d.src):
		d.truncated()
	default:
		d.fail(d.pos, "expected a digit, got "+d.found())
	}
}
