package layout

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Files has the files of a layout by their names, which have slashes.
type Files interface {
	// Open opens a regular file. Where there is none the error is [fs.ErrNotExist].
	Open(name string) (File, error)
	// Close gives everything back.
	Close() error
}

// File is an open file whose size is known.
type File interface {
	io.ReadSeekCloser
	// Size is in bytes.
	Size() int64
}

// Dir opens a directory's files. No symlink leads out of it.
func Dir(path string) (Files, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("opening an image layout: %w", err)
	}
	return dir{root}, nil
}

type dir struct{ root *os.Root }

func (d dir) Close() error { return d.root.Close() }

// Open does not wait for a writer where the name is a FIFO's.
func (d dir) Open(name string) (File, error) {
	f, err := d.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("opening %s: it is no regular file", name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return sized{f, st.Size()}, nil
}

type sized struct {
	*os.File
	size int64
}

func (s sized) Size() int64 { return s.size }

// Read reads a whole small file.
func Read(files Files, name string, limit int64) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Size() > limit {
		return nil, fmt.Errorf("reading %s: %d bytes are more than %d", name, f.Size(), limit)
	}
	raw, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return raw, nil
}

// Has tells whether there is a file of that name.
func Has(files Files, name string) (bool, error) {
	f, err := files.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}
