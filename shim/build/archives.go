package build

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/davit-containers/davit/bundle/decompress"
	"github.com/davit-containers/davit/bundle/layer"
)

// isArchive tells whether a file is a tar archive, which may be compressed.
func isArchive(file *os.File) bool {
	r := decompress.NewReader(io.NewSectionReader(file, 0, 1<<62))
	defer r.Close()
	_, err := tar.NewReader(r).Next()
	return err == nil
}

// extract unpacks an archive into a directory, in this process. Its files belong to
// whom the archive says, or to an owner.
// CVE-2026-41567: a decompressor of the container's was executed.
func extract(ctx context.Context, archive io.Reader, dir *os.File, to *owner, how layer.Options) error {
	how.FilesAlone = true
	r := decompress.NewReader(archive)
	defer r.Close()
	if to == nil {
		return layer.NewPlain(dir, how).Apply(ctx, r)
	}
	given, put := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := give(put, r, to)
		put.CloseWithError(err)
		done <- err
	}()
	err := layer.NewPlain(dir, how).Apply(ctx, given)
	given.CloseWithError(io.ErrClosedPipe)
	if giving := <-done; err == nil && giving != nil {
		err = giving
	}
	return err
}

// give writes an archive again with another owner.
func give(w io.Writer, r io.Reader, to *owner) error {
	in, out := tar.NewReader(r), tar.NewWriter(w)
	for {
		h, err := in.Next()
		if err == io.EOF {
			return out.Close()
		}
		if err != nil {
			return fmt.Errorf("reading the archive: %w", err)
		}
		h.Uid, h.Gid, h.Uname, h.Gname, h.Format = to.uid, to.gid, "", "", tar.FormatPAX
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
	}
}

// LooksLikeArchive tells by its first 512 bytes whether a stream is a tar archive,
// which may be compressed.
func LooksLikeArchive(head []byte) bool {
	if decompress.Detect(head) != decompress.Plain {
		return true
	}
	const magic = 257 // where a header has it
	return len(head) >= magic+5 && string(head[magic:magic+5]) == "ustar"
}

// Unpack unpacks a context's archive into an empty directory.
func Unpack(ctx context.Context, archive io.Reader, dir *os.File) error {
	return extract(ctx, archive, dir, nil, layer.Options{OneOwner: true})
}
