package treecopy

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Options say how it is copied.
type Options struct {
	Archive bool // keep owners, set-id bits and extended attributes
	Follow  bool // of a link, copy what it leads to
}

// The errors on which a caller may decide.
var (
	// ErrNoDirectory is a place to copy to that would have to be a directory.
	ErrNoDirectory = errors.New("it is not a directory")
	// ErrIsDirectory is a directory that would have to replace a file.
	ErrIsDirectory = errors.New("cannot copy a directory to a file")
)

// source is what is to be copied.
type source struct {
	handle   *os.File
	dir      bool
	base     string // what it is called
	contents bool   // not itself, but what is in it
}

// find opens what is to be copied: DIRECTORY/. is what is in it.
func (p Place) find(at string, o Options) (*source, error) {
	s := &source{base: path.Base(path.Clean("/" + at)), contents: at == "." || strings.HasSuffix(at, "/.")}
	last := lastStays
	if o.Follow || s.contents || strings.HasSuffix(at, "/") {
		last = lastIsFollowed
	}
	if s.base == "/" {
		s.contents = true
	}
	handle, err := p.open(path.Join("/", at), last)
	if err != nil {
		return nil, err
	}
	st, err := stat(handle)
	if err == nil && !isDir(st) && (s.contents || strings.HasSuffix(at, "/")) {
		err = ErrNoDirectory
	}
	if err != nil {
		handle.Close()
		return nil, naming(at, err)
	}
	s.handle, s.dir = handle, isDir(st)
	return s, nil
}

// name is what the source is called in an archive.
func (s *source) name() string {
	if s.contents {
		return ""
	}
	return s.base
}

// target is where it is copied to.
type target struct {
	dir  *os.File
	at   string   // the directory's path
	name string   // in it; "" is the directory itself
	into *os.File // or this file, whose content is replaced
}

func (t *target) close() {
	for _, f := range []*os.File{t.dir, t.into} {
		if f != nil {
			f.Close()
		}
	}
}

// place opens where a source is to go, by Docker's rules.
// Compat(moby): docker cp.
func (p Place) place(at string, s *source) (*target, error) {
	slash := strings.HasSuffix(at, "/") || strings.HasSuffix(at, "/.")
	whole := path.Join("/", at)
	handle, err := p.open(whole, lastIsFollowed)
	if errors.Is(err, unix.ENOENT) {
		if slash && !s.dir {
			return nil, naming(at, fmt.Errorf("the destination directory must exist: %w", unix.ENOENT))
		}
		return p.new(whole)
	}
	if err != nil {
		return nil, err
	}
	st, err := stat(handle)
	switch {
	case err != nil:
	case isDir(st):
		return &target{dir: handle, at: whole, name: s.name()}, nil
	case s.dir:
		err = ErrIsDirectory
	case slash:
		err = ErrNoDirectory
	default:
		return p.existing(whole, handle)
	}
	handle.Close()
	return nil, naming(at, err)
}

// new is a target that is not there, in a directory that is.
func (p Place) new(at string) (*target, error) {
	dir, err := p.open(path.Dir(at), lastIsFollowed)
	if err != nil {
		return nil, err
	}
	if st, err := stat(dir); err != nil || !isDir(st) {
		dir.Close()
		return nil, naming(path.Dir(at), errors.Join(err, ErrNoDirectory))
	}
	return &target{dir: dir, at: path.Dir(at), name: path.Base(at)}, nil
}

// existing is a target that is a file: it is replaced, or written to where a link
// led to it.
func (p Place) existing(at string, handle *os.File) (*target, error) {
	itself, err := p.open(at, lastStays)
	if err != nil {
		handle.Close()
		return nil, err
	}
	defer itself.Close()
	if st, err := stat(itself); err != nil || st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return &target{into: handle}, err
	}
	handle.Close()
	return p.new(at)
}

// Copy copies a file or directory from a path of one place to a path of another,
// by the rules of docker cp, and tells how many bytes files had. When the context
// is done it returns; what is half copied stays.
func Copy(ctx context.Context, from Place, src string, to Place, dst string, o Options) (bytes int64, err error) {
	s, err := from.find(src, o)
	if err != nil {
		return 0, err
	}
	defer s.handle.Close()
	t, err := to.place(dst, s)
	if err != nil {
		return 0, err
	}
	defer t.close()
	r, w := io.Pipe()
	stop := context.AfterFunc(ctx, func() { w.CloseWithError(ctx.Err()) })
	defer stop()
	name := t.name
	if t.into != nil {
		name = s.base
	}
	packed := make(chan error, 1)
	go func() {
		err := newPacker(w, from, o).pack(s.handle, name)
		w.CloseWithError(err)
		packed <- err
	}()
	bytes, err = t.take(tar.NewReader(r), to, o)
	r.CloseWithError(io.ErrClosedPipe)
	if failed := <-packed; failed != nil && !errors.Is(failed, io.ErrClosedPipe) {
		err = failed
	}
	return bytes, err
}

func newPacker(w io.Writer, from Place, o Options) *packer {
	return &packer{w: tar.NewWriter(w), from: from, archive: o.Archive, links: map[inode]string{}}
}

// take writes what comes to the target.
func (t *target) take(r *tar.Reader, to Place, o Options) (bytes int64, err error) {
	u := &unpacker{r: r, to: to, dir: t.dir, at: t.at, archive: o.Archive}
	if t.into == nil {
		err = u.unpack()
		return u.bytes, err
	}
	h, err := r.Next()
	if err != nil {
		return 0, err
	}
	if h.Typeflag != tar.TypeReg {
		return 0, naming(h.Name, errors.New("cannot write what is no regular file to a file that a link leads to"))
	}
	err = u.into(t.into, h)
	return u.bytes, err
}

// Pack writes a file or directory as an archive, and tells how many bytes files had.
func Pack(w io.Writer, from Place, src string, o Options) (bytes int64, err error) {
	s, err := from.find(src, o)
	if err != nil {
		return 0, err
	}
	defer s.handle.Close()
	p := newPacker(w, from, Options{Archive: true})
	err = p.pack(s.handle, s.name())
	return p.bytes, err
}

// Unpack writes an archive into a directory that is there, and tells how many
// bytes files had.
func Unpack(r io.Reader, to Place, dst string, o Options) (bytes int64, err error) {
	dir, err := to.open(path.Join("/", dst), lastIsFollowed)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	if st, err := stat(dir); err != nil || !isDir(st) {
		return 0, naming(dst, errors.Join(err, ErrNoDirectory))
	}
	u := &unpacker{r: tar.NewReader(r), to: to, dir: dir, at: path.Join("/", dst), archive: o.Archive}
	err = u.unpack()
	return u.bytes, err
}
