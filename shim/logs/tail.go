package logs

import (
	"bytes"
	"os"
)

// place is where reading begins: a file of a chain, and an offset in it.
type place struct {
	file int
	off  int64
}

// tail finds where the last lines of a log begin, by reading it backwards. A
// line that several records hold is one, and so is an unfinished line at the
// end of a stream.
type tail struct {
	q     Query
	left  int     // lines still to be found
	begun [2]bool // the stream has a line that may begin further ahead
	dec   decoder
}

// findTail is the place of the query's last lines in a chain.
func findTail(files chain, q Query) (place, error) {
	t := tail{q: q, left: q.Tail}
	for i := len(files) - 1; i >= 0; i-- {
		off, found, err := t.search(files[i])
		if err != nil || found {
			return place{i, off}, err
		}
	}
	return place{}, nil
}

// search reads one file backwards; found says that reading begins in it.
func (t *tail) search(f *os.File) (off int64, found bool, err error) {
	end, err := wholeRecords(f)
	if err != nil {
		return 0, false, err
	}
	b := backwards{f: f, begin: end, end: end}
	for {
		at := b.end
		if t.q.Tail == 0 {
			return at, true, nil
		}
		data, err := b.previous()
		if err != nil || data == nil {
			return 0, false, err
		}
		r, err := t.dec.decode(data)
		if err != nil {
			continue
		}
		if !t.q.Since.IsZero() && r.Time.Before(t.q.Since) || t.enough(r) {
			return at, true, nil
		}
	}
}

// enough takes a record into account, and says whether it is the end of a line
// too many.
func (t *tail) enough(r Record) bool {
	if !t.q.wants(r) {
		return false
	}
	if r.whole() || !t.begun[r.Stream] {
		if t.left == 0 {
			return true
		}
		t.left--
		t.begun[r.Stream] = true
	}
	return false
}

// backwards reads the records of a file from the last to the first.
type backwards struct {
	f     *os.File
	begin int64  // in the file, of buf
	end   int64  // in the file, of the record that comes next
	buf   []byte // what is read and not given out; it ends in a newline
}

// previous is the next record towards the file's beginning, with its newline;
// nil at the beginning. It is valid until the next call.
func (b *backwards) previous() ([]byte, error) {
	for {
		if len(b.buf) > 0 {
			i := bytes.LastIndexByte(b.buf[:len(b.buf)-1], '\n')
			if i >= 0 || b.begin == 0 {
				data := b.buf[i+1:]
				b.buf = b.buf[:i+1]
				b.end = b.begin + int64(i) + 1
				return data, nil
			}
		}
		if b.begin == 0 {
			return nil, nil
		}
		if err := b.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads what is in front of the buffer. Of a record that is too long it
// keeps nothing but the end.
func (b *backwards) fill() error {
	if len(b.buf) > maxRecord {
		b.buf = b.buf[len(b.buf)-1:]
	}
	n := min(b.begin, 64<<10)
	buf := make([]byte, n, int(n)+len(b.buf))
	if _, err := b.f.ReadAt(buf, b.begin-n); err != nil {
		return err
	}
	b.buf = append(buf, b.buf...)
	b.begin -= n
	return nil
}
