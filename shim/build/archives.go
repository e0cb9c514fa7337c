package build

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/xi2/xz"

	"github.com/davit-containers/davit/bundle/layer"
)

// maxDictionary bounds the memory that a compressed file may ask for, in bytes:
// what xz -9 and zstd --ultra -22 need.
const maxDictionary = 128 << 20

// decompressed is what a file has, decompressed in this process.
// CVE-2026-41567: a decompressor of the container's was executed.
func decompressed(file io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(file, 1<<20)
	head, err := in.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	has := func(magic string) bool { return len(head) >= len(magic) && string(head[:len(magic)]) == magic }
	switch {
	case has("\x1f\x8b"):
		return gzip.NewReader(in)
	case has("\x28\xb5\x2f\xfd"):
		return zstd.NewReader(in, zstd.WithDecoderMaxWindow(maxDictionary), zstd.WithDecoderConcurrency(1))
	case has("\xfd7zXZ\x00"):
		return xz.NewReader(in, maxDictionary)
	case has("BZh"):
		return bzip2.NewReader(in), nil
	}
	return in, nil
}

// isArchive tells whether a file is a tar archive, which may be compressed.
func isArchive(file *os.File) bool {
	r, err := decompressed(io.NewSectionReader(file, 0, 1<<62))
	if err != nil {
		return false
	}
	if z, ok := r.(*zstd.Decoder); ok {
		defer z.Close()
	}
	_, err = tar.NewReader(r).Next()
	return err == nil
}

// extract unpacks an archive into a directory. Its files belong to whom the
// archive says, or to an owner.
func extract(ctx context.Context, archive io.Reader, dir *os.File, to *owner, how layer.Options) error {
	r, err := decompressed(archive)
	if err != nil {
		return err
	}
	if z, ok := r.(*zstd.Decoder); ok {
		defer z.Close()
	}
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
	err = layer.NewPlain(dir, how).Apply(ctx, given)
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
	r, err := decompressed(bytes.NewReader(head))
	if err != nil {
		return false
	}
	if _, plain := r.(*bufio.Reader); !plain {
		return true
	}
	const magic = 257 // where a header has it
	return len(head) >= magic+5 && string(head[magic:magic+5]) == "ustar"
}

// Unpack unpacks a context's archive into an empty directory.
func Unpack(ctx context.Context, archive io.Reader, dir *os.File) error {
	return extract(ctx, archive, dir, nil, layer.Options{OneOwner: true})
}
