package events

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/davit-containers/davit/shim/internal/dirwatch"
	"github.com/davit-containers/davit/shim/internal/statefile"
)

// Query says which events are wanted.
type Query struct {
	Since time.Time        // no older ones; the zero time is no limit
	Until time.Time        // no newer ones; the zero time is no limit
	Wants func(Event) bool // nil: all
}

func (q Query) wants(e Event) bool {
	return !e.Time.Before(q.Since) && !q.past(e.Time) && (q.Wants == nil || q.Wants(e))
}

func (q Query) past(t time.Time) bool { return !q.Until.IsZero() && t.After(q.Until) }

// Read calls each with the events that the store at root has, the oldest first.
// An error of each ends reading, and is returned.
func Read(ctx context.Context, root string, q Query, each func(Event) error) error {
	r := &reader{files: at(root), q: q, each: each}
	defer r.close()
	if err := r.catchUp(ctx); err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	return nil
}

// Follow is Read that goes on with what comes, until the time of Until or until
// the context is done, whose error it returns.
func Follow(ctx context.Context, root string, q Query, each func(Event) error) error {
	r := &reader{files: at(root), q: q, each: each}
	defer r.close()
	if err := r.follow(ctx); err != nil {
		return fmt.Errorf("following events: %w", err)
	}
	return nil
}

// reader reads one file after the other.
type reader struct {
	files
	q    Query
	each func(Event) error
	open []*os.File    // still to be read
	buf  *bufio.Reader // of the first
	part []byte        // of a line, whose end is not written yet
}

func (r *reader) close() {
	for _, f := range r.open {
		f.Close()
	}
}

// follow watches before it looks, so that nothing is missed.
func (r *reader) follow(ctx context.Context) error {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	watch, err := dirwatch.New(r.dir)
	if err != nil {
		return err
	}
	defer watch.Close()
	return watch.Follow(ctx, r.q.Until, nil, r.catchUp)
}

// catchUp reads up to the end of the newest file. Newer files are looked for
// before the one that was the newest is read to its end: once there is one, it
// grows no more.
func (r *reader) catchUp(ctx context.Context) error {
	newer, err := r.newer()
	if err != nil {
		return err
	}
	r.open = append(r.open, newer...)
	for len(r.open) > 0 {
		if err := r.drain(ctx); err != nil || len(r.open) == 1 {
			return err
		}
		r.open[0].Close()
		r.open, r.buf, r.part = r.open[1:], nil, nil
	}
	return nil
}

// newer are the files that came after the last that is open. The lock keeps
// them from changing their names meanwhile.
func (r *reader) newer() (found []*os.File, err error) {
	l, err := statefile.Acquire(r.lock())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nothing was ever appended
	}
	if err != nil {
		return nil, err
	}
	defer l.Release()
	for _, path := range []string{r.newest(), r.older()} {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && r.last(f) {
			f.Close()
			break
		}
		if err != nil {
			return found, err
		}
		found = append([]*os.File{f}, found...)
	}
	return found, nil
}

// last says whether a file is the last that is open.
func (r *reader) last(f *os.File) bool {
	if len(r.open) == 0 {
		return false
	}
	a, err1 := f.Stat()
	b, err2 := r.open[len(r.open)-1].Stat()
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

// drain reads the first file up to its end.
func (r *reader) drain(ctx context.Context) error {
	if r.buf == nil {
		r.buf = bufio.NewReaderSize(r.open[0], 2*maxLine)
	}
	for ctx.Err() == nil {
		line, err := r.buf.ReadSlice('\n')
		r.part = append(r.part, line...)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, bufio.ErrBufferFull): // no line of ours
			r.part = r.part[:0]
			continue
		case err != nil:
			return err
		}
		e, ok := parse(r.part)
		r.part = r.part[:0]
		if ok && r.q.wants(e) {
			if err := r.each(e); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}
