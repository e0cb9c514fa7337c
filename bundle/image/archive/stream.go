package archive

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/decompress"
	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/internal/cancel"
)

// seekable is f itself, or a copy of it that is not compressed. f is closed
// where it is not needed any more.
func seekable(ctx context.Context, f *os.File, dir string) (*os.File, error) {
	plain, err := isPlainFile(f)
	if plain || err != nil {
		return f, err
	}
	out, err := unnamed(dir)
	if err != nil {
		return nil, err
	}
	err = decompress.Copy(out, cancel.Reader(ctx, f))
	if errors.Is(err, decompress.ErrDamaged) {
		err = &image.RejectedError{Reason: "decompressing it", Err: err}
	}
	if err == nil {
		_, err = out.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return out, f.Close()
}

// isPlainFile tells whether a file can be read as it is. It is at its beginning
// afterwards.
func isPlainFile(f *os.File) (bool, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return false, nil // a pipe
	}
	var head [decompress.HeadSize]byte
	n, err := f.ReadAt(head[:], 0)
	if err != nil && err != io.EOF {
		return false, err
	}
	return decompress.Detect(head[:n]) == decompress.Plain, nil
}

// unnamed is a file that goes with its last descriptor.
func unnamed(dir string) (*os.File, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
	if err == nil || !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) {
		return f, err
	}
	if f, err = os.CreateTemp(dir, "archive-"); err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}
