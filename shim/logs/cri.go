package logs

import (
	"bytes"
	"fmt"
	"time"
)

// cri encodes records as the kubelet and podman read them. They hold any byte.
type cri struct{}

func (cri) encode(dst, stamp []byte, s Stream, line []byte, whole bool) []byte {
	dst = append(dst, stamp...)
	dst = append(dst, ' ')
	dst = append(dst, s.String()...)
	if whole {
		dst = append(dst, " F "...)
	} else {
		dst = append(dst, " P "...)
	}
	return append(append(dst, line...), '\n')
}

// decodeCRI is the other way around. data ends in the record's newline; the
// record's line is a part of it.
func decodeCRI(data []byte) (Record, error) {
	stamp, rest, _ := bytes.Cut(data, []byte(" "))
	stream, rest, _ := bytes.Cut(rest, []byte(" "))
	tags, line, found := bytes.Cut(rest, []byte(" "))
	if !found {
		return Record{}, fmt.Errorf("not a record of a log: %.40q", data)
	}
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil {
		return Record{}, fmt.Errorf("not a record of a log: %.40q", data)
	}
	s, err := parseStream(stream)
	if err != nil {
		return Record{}, err
	}
	switch first, _, _ := bytes.Cut(tags, []byte(":")); string(first) {
	case "F":
		return Record{at, s, line}, nil
	case "P":
		return Record{at, s, bytes.TrimSuffix(line, []byte("\n"))}, nil
	}
	return Record{}, fmt.Errorf("unknown tag %q in a record of a log", tags)
}
