package logs

import (
	"bytes"
	"io"
	"os"
)

// maxRecord is how long a record may be; a longer one, which no Writer makes,
// is passed over.
const maxRecord = 1 << 20

// lines reads the whole records of a file that may still grow. Half a record
// at the end stays unread until its newline is there.
type lines struct {
	f    *os.File
	off  int64  // in the file, of what comes next
	buf  []byte // read ahead
	rest []byte // of buf, still to be given out
	skip bool   // in a record that is too long
}

func newLines(f *os.File, off int64, buf []byte) *lines {
	if buf == nil {
		buf = make([]byte, 64<<10)
	}
	return &lines{f: f, off: off, buf: buf}
}

// next is the next record with its newline, valid until the next call; io.EOF
// where there is no whole one yet.
func (l *lines) next() ([]byte, error) {
	for {
		if i := bytes.IndexByte(l.rest, '\n'); i >= 0 {
			line := l.rest[:i+1]
			l.rest = l.rest[i+1:]
			l.off += int64(len(line))
			if !l.skip && len(line) > 1 {
				return line, nil
			}
			l.skip = false
			continue
		}
		if err := l.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads on, behind what is in the buffer.
func (l *lines) fill() error {
	have := copy(l.buf, l.rest)
	if have == len(l.buf) {
		if have >= maxRecord {
			l.skip = true
			l.off += int64(have)
			have = 0
		} else {
			l.buf = append(l.buf, make([]byte, len(l.buf))...)
		}
	}
	n, err := l.f.ReadAt(l.buf[have:], l.off+int64(have))
	if n == 0 {
		l.rest = nil // what is half may be cut off, and written anew
		return l.end(err)
	}
	l.rest = l.buf[:have+n]
	return nil
}

// end is at the end of the file. Somebody may have emptied it to gain space: it
// is then read from its beginning.
func (l *lines) end(err error) error {
	if fi, statErr := l.f.Stat(); statErr == nil && fi.Size() < l.off {
		l.off, l.skip = 0, false
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}
