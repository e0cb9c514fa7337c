package logs

import (
	"context"
	"io"
)

// Output is where [Copy] puts a log.
type Output struct {
	Stdout, Stderr io.Writer // either may be nil: that stream is not wanted
	Timestamps     bool      // the time in front of each line
}

// Copy writes the log at path as the container wrote it, byte for byte, or with
// the time in front of each line.
func Copy(ctx context.Context, path string, q Query, out Output) error {
	c := copier{out: out}
	return Read(ctx, path, q, c.copy)
}

// CopyJournal is Copy of a container's output in the journal; see ReadJournal.
func CopyJournal(ctx context.Context, id string, q Query, out Output) error {
	c := copier{out: out}
	return ReadJournal(ctx, id, q, c.copy)
}

type copier struct {
	out   Output
	begun [2]bool // the stream is in the middle of a line
	buf   []byte
}

func (c *copier) copy(r Record) error {
	w := c.out.Stdout
	if r.Stream == Stderr {
		w = c.out.Stderr
	}
	if w == nil {
		return nil
	}
	c.buf = c.buf[:0]
	if c.out.Timestamps && !c.begun[r.Stream] {
		c.buf = append(r.Time.UTC().AppendFormat(c.buf, timestamp), ' ')
	}
	c.begun[r.Stream] = !r.whole()
	c.buf = append(c.buf, r.Line...)
	_, err := w.Write(c.buf)
	return err
}

// timestamp has all nine digits, so that lines stand below each other.
const timestamp = "2006-01-02T15:04:05.000000000Z07:00"
