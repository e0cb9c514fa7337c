package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/image/layout"
)

// Bounds of an archive: an image has a few files for each layer.
const (
	maxEntries = 50_000
	maxLinks   = 16
)

// files are those of a tar archive, by their names.
type files struct {
	f       *os.File
	entries map[string]entry
}

// entry is where a file's content is, or where its link leads.
type entry struct {
	offset, size int64
	link         string
}

// index reads the headers of an archive. f is owned from then on.
func index(f *os.File) (*files, error) {
	a := &files{f: f, entries: map[string]entry{}}
	if err := a.scan(); err != nil {
		return nil, errors.Join(fmt.Errorf("reading %s: %w", f.Name(), err), f.Close())
	}
	return a, nil
}

func (a *files) scan() error {
	r := tar.NewReader(a.f)
	for n := 0; ; n++ {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &image.RejectedError{Reason: "it is no archive of an image", Err: err}
		}
		if n == maxEntries {
			return image.Rejected("it has more than %d entries", maxEntries)
		}
		if err := a.add(h); err != nil {
			return err
		}
	}
}

// add notes an entry. Of several with one name, the last counts, as if the
// archive had been unpacked.
func (a *files) add(h *tar.Header) error {
	name := clean(h.Name)
	if isSparse(h) {
		return image.Rejected("%s is a sparse file", h.Name)
	}
	switch h.Typeflag {
	case tar.TypeReg:
		offset, err := a.f.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		a.entries[name] = entry{offset: offset, size: h.Size}
	case tar.TypeSymlink:
		a.entries[name] = entry{link: clean(path.Join(path.Dir(name), h.Linkname))}
	case tar.TypeLink:
		a.entries[name] = entry{link: clean(h.Linkname)}
	}
	return nil
}

// isSparse tells a file whose content is not in one piece.
func isSparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}

// clean is a name that leads nowhere outside the archive.
func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// find follows links. Where there is no such file the error is [fs.ErrNotExist].
func (a *files) find(name string) (string, entry, error) {
	at := clean(name)
	for range maxLinks {
		e, ok := a.entries[at]
		if !ok {
			return "", entry{}, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		if e.link == "" {
			return at, e, nil
		}
		at = e.link
	}
	return "", entry{}, image.Rejected("opening %s: more than %d links", name, maxLinks)
}

// Open opens a file of the archive.
func (a *files) Open(name string) (layout.File, error) {
	_, e, err := a.find(name)
	if err != nil {
		return nil, err
	}
	return section{io.NewSectionReader(a.f, e.offset, e.size)}, nil
}

// Close closes the archive.
func (a *files) Close() error { return a.f.Close() }

type section struct{ *io.SectionReader }

func (section) Close() error { return nil }
