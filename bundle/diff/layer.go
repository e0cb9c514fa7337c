package diff

import (
	"archive/tar"
	"bufio"
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/internal/tree"
)

// whiteoutPrefix begins the name of an entry that removes another.
//
// Spec (image-spec): layer.md#whiteout-files
const whiteoutPrefix = ".wh."

// Layer writes what has to be changed in one tree to make it the other, as a
// layer's uncompressed tar. Directories above a change are in it too.
func Layer(ctx context.Context, to io.Writer, old, new Source, o Options) error {
	out := bufio.NewWriterSize(to, block)
	l := &archiver{opt: &o, out: out, tar: tar.NewWriter(out), first: map[class]string{}, buf: make([]byte, block)}
	err := compare(ctx, old, new, &o, l)
	if err == nil {
		err = l.tar.Close()
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("making a layer: %w", err)
	}
	return nil
}

// Export writes a whole tree as an uncompressed tar.
func Export(ctx context.Context, to io.Writer, tree Source, o Options) error {
	return Layer(ctx, to, Source{}, tree, o)
}

// archiver is a sink that writes a tar.
type archiver struct {
	opt   *Options
	out   io.Writer
	tar   *tar.Writer
	above []above          // the directories that the walk is in, from the root
	first map[class]string // where a file with several names was written
	buf   []byte
}

// above is a directory that the walk is in. It is written at the latest when
// something in it is.
type above struct {
	dir     *tree.Entry
	written bool
}

// enter is sink's. An unchanged root is nobody's concern.
func (l *archiver) enter(e *tree.Entry, _ Kind, changed bool) error {
	l.above = append(l.above, above{dir: e, written: e.Path == "." && !changed})
	if changed {
		return l.writeAbove()
	}
	return nil
}

// leave is sink's.
func (l *archiver) leave() { l.above = l.above[:len(l.above)-1] }

// writeAbove writes the directories that the walk is in and that are not yet
// written: the innermost ones.
func (l *archiver) writeAbove() error {
	first := len(l.above)
	for first > 0 && !l.above[first-1].written {
		first--
	}
	for i := range l.above[first:] {
		a := &l.above[first+i]
		if err := l.directory(a.dir); err != nil {
			return err
		}
		a.written = true
	}
	return nil
}

// directory writes a directory's entry.
func (l *archiver) directory(e *tree.Entry) error {
	if strings.HasPrefix(e.Name, whiteoutPrefix) {
		return fmt.Errorf("%s: %w", e.Path, ErrWhiteoutName)
	}
	h, err := l.header(e, &e.Stat)
	if err != nil {
		return err
	}
	h.Name += "/"
	return l.writeHeader(h)
}

// remove is sink's.
func (l *archiver) remove(e *tree.Entry) error {
	if err := l.prepare(e); err != nil {
		return err
	}
	name := path.Join(path.Dir(e.Path), whiteoutPrefix+e.Name)
	return l.writeHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Format: tar.FormatPAX})
}

// put is sink's.
func (l *archiver) put(e *tree.Entry, _ Kind) error {
	if err := l.prepare(e); err != nil {
		return err
	}
	if isLinked(e) {
		c := classOf(e)
		if first, written := l.first[c]; written {
			return l.link(e, first)
		}
		l.first[c] = e.Path
	}
	if e.Type() == unix.S_IFREG {
		return l.file(e)
	}
	h, err := l.header(e, &e.Stat)
	if err != nil {
		return err
	}
	if e.Type() == unix.S_IFLNK {
		if h.Linkname, err = e.In.ReadLink(e.Name); err != nil {
			return err
		}
	}
	return l.writeHeader(h)
}

// prepare writes the directories above an entry, and refuses a name that means
// something else in a layer.
func (l *archiver) prepare(e *tree.Entry) error {
	if strings.HasPrefix(e.Name, whiteoutPrefix) {
		return fmt.Errorf("%s: %w", e.Path, ErrWhiteoutName)
	}
	return l.writeAbove()
}

// link writes another name of a file.
func (l *archiver) link(e *tree.Entry, first string) error {
	h, err := l.header(e, &e.Stat)
	if err != nil {
		return err
	}
	h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
	return l.writeHeader(h)
}

// file writes a regular file.
func (l *archiver) file(e *tree.Entry) error {
	f, st, err := e.In.OpenFile(e.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	h, err := l.header(e, &st)
	if err != nil {
		return err
	}
	h.Size = st.Size
	spans, err := dataSpans(f, &st)
	if err != nil {
		return err
	}
	if spans != nil {
		return l.sparse(h, f, spans)
	}
	if err := l.writeHeader(h); err != nil {
		return err
	}
	return l.content(l.tar, f, 0, st.Size, e.Path)
}

// content copies the bytes from start to end.
func (l *archiver) content(to io.Writer, f io.ReaderAt, start, end int64, path string) error {
	for start < end {
		n, err := f.ReadAt(l.buf[:min(end-start, block)], start)
		if n > 0 {
			if _, err := to.Write(l.buf[:n]); err != nil {
				return err
			}
			start += int64(n)
			continue
		}
		if err == io.EOF {
			err = ErrChanged
		}
		return fmt.Errorf("reading %s: %w", path, err)
	}
	return nil
}

// writeHeader writes the header of an entry.
func (l *archiver) writeHeader(h *tar.Header) error {
	if err := l.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("writing the header of %s: %w", h.Name, err)
	}
	return nil
}
