package main

import (
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/davit-containers/davit/libcontainer"
)

// layout is how JSON is spaced: what stands after an opening bracket, after a
// comma and after a colon, at each of the two depths that a state has.
type layout struct {
	outer, inner string // before a field at depth 1 and 2
	end          string // before the last bracket
	colon        string
}

// compact is one line; pretty is indented by two spaces, as runc prints it.
var (
	compact = layout{colon: ":"}
	pretty  = layout{outer: "\n  ", inner: "\n    ", end: "\n", colon: ": "}
)

// appendState appends a container's state as JSON. It is written by hand:
// encoding/json takes a fifth of a millisecond to look at the type, which is
// a tenth of davit state.
// Compat(runc): the names and their order.
func appendState(b []byte, s *libcontainer.State, l layout) []byte {
	b = append(b, '{')
	b = l.field(b, l.outer, "ociVersion", s.Version)
	b = l.field(append(b, ','), l.outer, "id", s.ID)
	b = l.key(append(b, ','), l.outer, "pid")
	b = strconv.AppendInt(b, int64(s.Pid), 10)
	b = l.field(append(b, ','), l.outer, "status", string(s.Status))
	b = l.field(append(b, ','), l.outer, "bundle", s.Bundle)
	b = l.field(append(b, ','), l.outer, "rootfs", s.Rootfs)
	b = l.field(append(b, ','), l.outer, "created", s.Created.Format(time.RFC3339Nano))
	if len(s.Annotations) > 0 {
		b = l.key(append(b, ','), l.outer, "annotations")
		b = l.object(b, s.Annotations)
	}
	b = l.field(append(b, ','), l.outer, "owner", s.Owner)
	return append(append(b, l.end...), '}')
}

// object appends the annotations, sorted by name.
func (l layout) object(b []byte, values map[string]string) []byte {
	b = append(b, '{')
	for i, name := range slices.Sorted(maps.Keys(values)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = l.field(b, l.inner, name, values[name])
	}
	return append(append(b, l.outer...), '}')
}

// field appends a name and a string.
func (l layout) field(b []byte, before, name, value string) []byte {
	return appendQuoted(l.key(b, before, name), value)
}

// key appends a name and its colon.
func (l layout) key(b []byte, before, name string) []byte {
	b = append(b, before...)
	return append(appendQuoted(b, name), l.colon...)
}

// appendQuoted appends a JSON string, byte for byte as encoding/json does:
// also with the characters escaped that HTML would take for its own.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(b, `\ufffd`...)
		} else {
			b = appendRune(b, r)
		}
		i += size
	}
	return append(b, '"')
}

// appendRune appends a character of a string.
func appendRune(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	case '<', '>', '&', '\u2028', '\u2029':
		return appendEscape(b, r)
	}
	if r < ' ' {
		return appendEscape(b, r)
	}
	return utf8.AppendRune(b, r)
}

// appendEscape appends a character by its number.
func appendEscape(b []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12&0xf], hex[r>>8&0xf], hex[r>>4&0xf], hex[r&0xf])
}
