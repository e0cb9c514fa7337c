package images

import (
	"archive/tar"
	"io"
	"path"
	"strings"
	"time"
)

// made is when what has no time of its own was made.
var made = time.Unix(1700000000, 0)

// layer is a layer's archive that is being written. Directories that nobody
// writes are written before what is in them.
type layer struct {
	out  io.Writer
	tar  *tar.Writer
	seen map[string]bool
}

func newLayer(out io.Writer) *layer {
	return &layer{out: out, tar: tar.NewWriter(out), seen: map[string]bool{}}
}

// has tells whether there is an entry of that name.
func (l *layer) has(name string) bool { return l.seen[strings.TrimSuffix(name, "/")] }

// copy writes an entry with its content.
func (l *layer) copy(h *tar.Header, content io.Reader) error {
	l.seen[strings.TrimSuffix(h.Name, "/")] = true
	if h.Typeflag == tar.TypeDir {
		h.Name = strings.TrimSuffix(h.Name, "/") + "/"
	}
	if err := l.tar.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(l.tar, io.LimitReader(content, h.Size))
	return err
}

// write writes an entry of ours, by root and of no particular time if it does
// not say otherwise.
func (l *layer) write(h *tar.Header, content []byte) error {
	h.Size = int64(len(content))
	if h.ModTime.IsZero() {
		h.ModTime = made
	}
	return l.copy(h, strings.NewReader(string(content)))
}

func (l *layer) file(name, text string, mode int64) error {
	return l.write(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode}, []byte(text))
}

func (l *layer) dir(name string, mode int64) error {
	if parent := path.Dir(name); parent != "." && !l.has(parent) {
		if err := l.dir(parent, 0o755); err != nil {
			return err
		}
	}
	return l.write(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode}, nil)
}

func (l *layer) symlink(name, target string) error {
	return l.write(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, nil)
}

func (l *layer) hardlink(name, target string) error {
	return l.write(&tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target}, nil)
}

// raw has somebody else write the whole archive.
func (l *layer) raw(write func(io.Writer) error) error {
	l.tar = nil
	return write(l.out)
}

// close ends the archive.
func (l *layer) close() error {
	if l.tar == nil {
		return nil
	}
	return l.tar.Close()
}
