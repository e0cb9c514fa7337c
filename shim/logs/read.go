package logs

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/davit-containers/davit/shim/internal/dirwatch"
)

// AllLines is the Tail of a query without one.
const AllLines = -1

// Query says which records are wanted.
type Query struct {
	Tail   int       // how many of the last lines; AllLines (any below 0) is no limit
	Since  time.Time // no older ones; the zero time is no limit
	Until  time.Time // no newer ones; the zero time is no limit
	Stream *Stream   // of one stream only; nil: both

	// Follow goes on with what is written later, until Until, until the context
	// is done, or until Ended is closed and everything that was written then is
	// read. Ended is to be closed when the container has ended and its log is
	// complete; nil is never.
	Follow bool
	Ended  <-chan struct{}
}

// wants says whether a record is to be seen.
func (q Query) wants(r Record) bool {
	return (q.Stream == nil || r.Stream == *q.Stream) &&
		(q.Since.IsZero() || !r.Time.Before(q.Since)) && !q.past(r)
}

// past says whether a record, and so all that follow, is too new.
func (q Query) past(r Record) bool { return !q.Until.IsZero() && r.Time.After(q.Until) }

// errDone ends reading without a failure.
var errDone = errors.New("no more records are wanted")

// Read calls each with the records of the log at path, in the order in which
// they were written. A record is valid until each returns; an error of each
// ends reading, and is returned. A log that was never written to has none.
//
// What is no record is passed over, so that a damaged file still tells the
// rest. Both forms of files are understood, also in one log.
func Read(ctx context.Context, path string, q Query, each func(Record) error) error {
	r, err := openReader(path, q, each)
	if err != nil {
		return err
	}
	defer r.close()
	if q.Follow {
		err = r.follow(ctx)
	} else {
		err = r.readAll(ctx)
	}
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

// reader reads the files of a log, one after the other.
type reader struct {
	path  string
	q     Query
	each  func(Record) error
	watch *dirwatch.Watch // of the log's directory; nil where the log is not followed
	files chain           // still to be read, the first at lines
	lines *lines
	dec   decoder
}

// openReader watches before it looks, so that no change is missed.
func openReader(path string, q Query, each func(Record) error) (_ *reader, err error) {
	r := &reader{path: path, q: q, each: each}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if q.Follow {
		if r.watch, err = dirwatch.New(filepath.Dir(path)); err != nil {
			return nil, err
		}
	}
	if r.files, err = openChain(path); err != nil {
		return nil, err
	}
	begin := place{}
	if q.Tail >= 0 {
		if begin, err = findTail(r.files, q); err != nil {
			return nil, err
		}
	}
	r.files[:begin.file].close()
	r.files = r.files[begin.file:]
	r.enter(begin.off)
	return r, nil
}

// enter begins the first of the files, if there is one.
func (r *reader) enter(off int64) {
	if len(r.files) == 0 {
		return
	}
	var buf []byte
	if r.lines != nil {
		buf = r.lines.buf
	}
	r.lines = newLines(r.files[0], off, buf)
}

func (r *reader) close() {
	r.files.close()
	if r.watch != nil {
		r.watch.Close()
	}
}

// readAll reads what is there now.
func (r *reader) readAll(ctx context.Context) error {
	for len(r.files) > 0 {
		if err := r.drain(ctx); err != nil {
			return err
		}
		if len(r.files) == 1 {
			return nil
		}
		r.leave()
	}
	return nil
}

// leave goes on to the next file.
func (r *reader) leave() {
	r.files[0].Close()
	r.files = r.files[1:]
	r.enter(0)
}

// drain reads the first of the files up to its end. A file that was complete
// before the query's time is not looked at.
func (r *reader) drain(ctx context.Context) error {
	if r.lines.off == 0 && writtenBefore(r.files[0], r.q.Since) {
		return nil
	}
	for ctx.Err() == nil {
		data, err := r.lines.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := r.give(data); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// writtenBefore says whether a file was last written to before a time. The
// clock that stamps files lags behind by some milliseconds.
func writtenBefore(f *os.File, at time.Time) bool {
	if at.IsZero() {
		return false
	}
	fi, err := f.Stat()
	return err == nil && fi.ModTime().Add(time.Second).Before(at)
}

func (r *reader) give(data []byte) error {
	record, err := r.dec.decode(data)
	if err != nil {
		return nil
	}
	if r.q.past(record) {
		return errDone
	}
	if !r.q.wants(record) {
		return nil
	}
	return r.each(record)
}
