package spec

import "strconv"

// The functions here read one value each; decode_gen.go is made of them. A
// null sets pointers, slices, maps and interfaces to nil and leaves the rest
// as it is, and a repeated member is read over the value of the first: both as
// encoding/json does it.

// text reads a string.
func text[T ~string](d *decoder, v *T) {
	switch d.peek() {
	case '"':
		*v = T(d.quoted())
	case 'n':
		d.literal("null")
	default:
		d.mismatch("a string")
	}
}

// boolean reads true or false.
func boolean(d *decoder, v *bool) {
	switch d.peek() {
	case 't':
		*v = d.literal("true")
	case 'f':
		*v = !d.literal("false")
	case 'n':
		d.literal("null")
	default:
		d.mismatch("a boolean")
	}
}

// signed reads a whole number.
func signed[T ~int | ~int8 | ~int16 | ~int32 | ~int64](d *decoder, v *T) {
	start, text := d.whole()
	if text == "" {
		return
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || int64(T(n)) != n {
		d.fail(start, brief(text)+" is out of range")
		return
	}
	*v = T(n)
}

// unsigned reads a whole number that is not negative.
func unsigned[T ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64](d *decoder, v *T) {
	start, text := d.whole()
	if text == "" {
		return
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || uint64(T(n)) != n {
		d.fail(start, brief(text)+" is out of range")
		return
	}
	*v = T(n)
}

// whole reads a number without fraction and exponent. The text is empty where
// null or an error stands there.
func (d *decoder) whole() (start int, text string) {
	c := d.peek()
	start = d.pos
	switch {
	case c == 'n':
		d.literal("null")
		return start, ""
	case c != '-' && (c < '0' || c > '9'):
		d.mismatch("a number")
		return start, ""
	}
	text, whole := d.number()
	if !whole {
		d.fail(start, "expected a whole number, got "+brief(text))
	}
	if d.err != nil {
		return start, ""
	}
	return start, text
}

// brief shortens the text of a number for an error.
func brief(number string) string {
	if len(number) > maxShown {
		return number[:maxShown] + "..."
	}
	return number
}

// pointer reads what a pointer is for.
func pointer[T any](d *decoder, p **T, value func(*decoder, *T)) {
	if d.null() {
		*p = nil
		return
	}
	if *p == nil {
		*p = new(T)
	}
	value(d, *p)
}

// slice reads an array.
func slice[T any](d *decoder, s *[]T, element func(*decoder, *T)) {
	if d.null() {
		*s = nil
		return
	}
	if !d.enter('[') {
		return
	}
	list, n := *s, 0
	for d.more() && d.spend() {
		list = reach(list, n)
		element(d, &list[n])
		n++
	}
	if n == 0 {
		list = []T{}
	}
	*s = list[:n]
}

// spend counts an element of an array or map.
func (d *decoder) spend() bool {
	d.budget--
	if d.budget < 0 {
		d.fail(d.pos, "more than "+strconv.Itoa(maxElements)+" elements of arrays and maps")
	}
	return d.err == nil
}

// reach makes index n valid, keeping what already stands in the array.
func reach[T any](list []T, n int) []T {
	switch {
	case n < len(list):
		return list
	case n < cap(list):
		return list[:n+1]
	case n == 0:
		return make([]T, 1, 4)
	}
	var zero T
	return append(list, zero)
}

// mapping reads an object whose keys are data.
func mapping[T any](d *decoder, m *map[string]T, element func(*decoder, *T)) {
	if d.null() {
		*m = nil
		return
	}
	if !d.enter('{') {
		return
	}
	d.frames[d.depth-1].isMap = true
	if *m == nil {
		*m = make(map[string]T)
	}
	var v, zero T
	for d.more() && d.spend() {
		key := d.key()
		v = zero
		element(d, &v)
		(*m)[key] = v
	}
}

// anything reads a value of any kind, as encoding/json does for an interface.
func anything(d *decoder, v *any) {
	switch d.peek() {
	case '{':
		var m map[string]any
		mapping(d, &m, anything)
		*v = m
	case '[':
		var list []any
		slice(d, &list, anything)
		*v = list
	case '"':
		*v = d.quoted()
	case 't', 'f':
		var b bool
		boolean(d, &b)
		*v = b
	case 'n':
		d.literal("null")
		*v = nil
	default:
		*v = d.float()
	}
}

// float reads a number.
func (d *decoder) float() float64 {
	start := d.pos
	text, _ := d.number()
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		d.fail(start, brief(text)+" is out of range")
	}
	return n
}
