package logs

import (
	"fmt"
	"time"
)

// Stream is where the container wrote something.
type Stream uint8

// The streams of a container. A terminal has only the first.
const (
	Stdout Stream = iota
	Stderr
)

// String is "stdout" or "stderr", as log files name them.
func (s Stream) String() string {
	if s == Stderr {
		return "stderr"
	}
	return "stdout"
}

// parseStream is the other way around.
func parseStream[T string | []byte](name T) (Stream, error) {
	switch string(name) {
	case "stdout":
		return Stdout, nil
	case "stderr":
		return Stderr, nil
	}
	return 0, fmt.Errorf("unknown stream %q", name)
}

// Record is a line of a container's output, or a part of a long one.
type Record struct {
	Time   time.Time // when the supervisor read it
	Stream Stream
	Line   []byte // with its newline; without one it goes on in the next record of the stream, or was the last
}

// whole says whether the record ends its line.
func (r Record) whole() bool { return len(r.Line) > 0 && r.Line[len(r.Line)-1] == '\n' }
