package tarstream

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// record is one of a PAX header. Source: pax in POSIX.1-2001.
type record struct{ key, value string }

const xattrPrefix = "SCHILY.xattr."

// parsePAX reads the records of a PAX header.
func parsePAX(text string) ([]record, error) {
	var records []record
	for text != "" {
		r, rest, err := parseRecord(text)
		if err != nil {
			return nil, err
		}
		records, text = append(records, r), rest
	}
	return records, nil
}

// parseRecord reads "LENGTH KEY=VALUE\n", of which LENGTH counts all.
func parseRecord(text string) (record, string, error) {
	digits, _, found := strings.Cut(text, " ")
	length, err := strconv.ParseInt(digits, 10, 0)
	if !found || err != nil || length > int64(len(text)) || length < int64(len(digits))+4 {
		return record{}, "", ErrHeader
	}
	body, rest := text[len(digits)+1:length], text[length:]
	body, newline := strings.CutSuffix(body, "\n")
	key, value, found := strings.Cut(body, "=")
	if !newline || !found || key == "" || strings.Contains(key, "\x00") {
		return record{}, "", ErrHeader
	}
	switch key {
	case "path", "linkpath", "uname", "gname":
		if strings.Contains(value, "\x00") {
			return record{}, "", ErrHeader
		}
	}
	return record{key, value}, rest, nil
}

// merge lets the records of a PAX header have their say. The last of a key
// counts; an empty one means nothing, but for extended attributes.
func (e *Entry) merge(records []record) error {
	var last [len(keys)]string
	for _, r := range records {
		if name, found := strings.CutPrefix(r.key, xattrPrefix); found {
			e.Xattrs = append(e.Xattrs, Xattr{name, r.value})
		} else if i := slices.Index(keys[:], r.key); i >= 0 {
			last[i] = r.value
		}
	}
	for i, value := range last {
		if value == "" {
			continue
		}
		if err := e.set(record{keys[i], value}); err != nil {
			return err
		}
	}
	return nil
}

// keys are those of records that mean something here.
var keys = [...]string{"path", "linkpath", "uid", "gid", "size", "mtime", "atime", "ctime"}

func (e *Entry) set(r record) (err error) {
	switch r.key {
	case "path":
		e.Name = r.value
	case "linkpath":
		e.Link = r.value
	case "uid":
		e.UID, err = decimal(r.value)
	case "gid":
		e.GID, err = decimal(r.value)
	case "size":
		e.Size, err = decimal(r.value)
	case "mtime":
		e.Mtime, err = parseTime(r.value)
	case "atime":
		e.Atime, err = parseTime(r.value)
	case "ctime":
		_, err = parseTime(r.value)
	}
	return err
}

// parseTime reads seconds since 1970 with a fraction.
func parseTime(s string) (time.Time, error) {
	whole, fraction, _ := strings.Cut(s, ".")
	seconds, err := decimal(whole)
	if err != nil {
		return time.Time{}, err
	}
	nanos := int64(0)
	for i, digit := range []byte(fraction) {
		if digit < '0' || digit > '9' {
			return time.Time{}, ErrHeader
		}
		if i < 9 {
			nanos = nanos*10 + int64(digit-'0')
		}
	}
	for i := len(fraction); i < 9 && fraction != ""; i++ {
		nanos *= 10
	}
	if strings.HasPrefix(whole, "-") {
		nanos = -nanos
	}
	return time.Unix(seconds, nanos), nil
}
