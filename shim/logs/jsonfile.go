package logs

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// jsonFile encodes records as Docker's json-file driver does.
type jsonFile struct {
	attrs []byte // `,"attrs":{...}`, or nothing
}

func newJSONFile(attrs map[string]string) (jsonFile, error) {
	if len(attrs) == 0 {
		return jsonFile{}, nil
	}
	data, err := json.Marshal(attrs)
	if err != nil {
		return jsonFile{}, fmt.Errorf("encoding log attributes: %w", err)
	}
	return jsonFile{slices.Concat([]byte(`,"attrs":`), data)}, nil
}

func (j jsonFile) encode(dst, stamp []byte, s Stream, line []byte, whole bool) []byte {
	dst = append(dst, `{"log":"`...)
	dst, exact := appendEscaped(dst, line)
	if whole {
		dst = append(dst, `\n`...)
	}
	dst = append(dst, `","stream":"`...)
	dst = append(dst, s.String()...)
	dst = append(dst, '"')
	dst = append(dst, j.attrs...)
	if !exact {
		dst = appendRaw(dst, line, whole)
	}
	dst = append(dst, `,"time":"`...)
	dst = append(dst, stamp...)
	return append(dst, '"', '}', '\n')
}

// appendRaw appends a line that is not UTF-8 as it is, in base64.
func appendRaw(dst, line []byte, whole bool) []byte {
	dst = append(dst, `,"raw":"`...)
	if whole {
		line = append(slices.Clip(line), '\n')
	}
	dst = base64.StdEncoding.AppendEncode(dst, line)
	return append(dst, '"')
}

// appendEscaped appends the inside of a JSON string. exact is false where the
// text is not UTF-8, and what is no character was replaced.
func appendEscaped(dst, text []byte) (_ []byte, exact bool) {
	exact = true
	start := 0
	for i := 0; i < len(text); {
		if ordinary(text[i]) {
			i++
			continue
		}
		if text[i] < utf8.RuneSelf {
			dst = appendByte(append(dst, text[start:i]...), text[i])
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if escape := escapes(r, size); escape != "" {
			exact = exact && size > 1
			dst = append(append(dst, text[start:i]...), escape...)
			start = i + size
		}
		i += size
	}
	return append(dst, text[start:]...), exact
}

// ordinary says whether an ASCII byte stands for itself. The others are what
// JSON demands and what a page of HTML would take for markup, as Docker has it.
func ordinary(b byte) bool {
	const escaped = 1<<'"' | 1<<'&' | 1<<'<' | 1<<'>' | 1<<' ' - 1 // up to 63
	return b < 64 && escaped>>b&1 == 0 || 64 <= b && b < utf8.RuneSelf && b != '\\'
}

func appendByte(dst []byte, b byte) []byte {
	const hex = "0123456789abcdef"
	switch b {
	case '"', '\\':
		return append(dst, '\\', b)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	}
	return append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
}

// escapes is how a character that is not ASCII is written where it cannot stand
// for itself.
func escapes(r rune, size int) string {
	switch {
	case r == utf8.RuneError && size == 1:
		return `\ufffd`
	case r == '\u2028':
		return `\u2028`
	case r == '\u2029':
		return `\u2029`
	}
	return ""
}
