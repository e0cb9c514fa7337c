package store

import (
	"archive/tar"
	"context"
	"errors"
	"io"

	"github.com/davit-containers/davit/bundle/decompress"
	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/internal/cancel"
)

// copyArchive decompresses a tar archive into w. What is none is refused.
func copyArchive(ctx context.Context, w io.Writer, src io.Reader) error {
	plain, in := io.Pipe()
	checked := make(chan error, 1)
	go func() {
		err := readArchive(plain)
		plain.CloseWithError(err)
		checked <- err
	}()
	err := decompress.Copy(io.MultiWriter(w, in), cancel.Reader(ctx, src))
	in.CloseWithError(err)
	bad := <-checked
	if errors.Is(err, decompress.ErrDamaged) {
		return &image.RejectedError{Reason: "decompressing a tar archive", Err: err}
	}
	if bad != nil {
		return bad
	}
	return err
}

// readArchive reads all of an archive, and what follows its end.
func readArchive(r io.Reader) error {
	t := tar.NewReader(r)
	for {
		_, err := t.Next()
		if err == io.EOF {
			_, err = io.Copy(io.Discard, r)
			return err
		}
		if err != nil {
			return &image.RejectedError{Reason: "reading a tar archive", Err: err}
		}
	}
}
