package archive

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/layer/inflate"
)

// maxWindow bounds the memory that a zstd stream may ask for.
// Source: RFC 8878, section 3.1.1.1.2 recommends that decoders support 8 MiB;
// zstd --ultra -22 asks for 128 MiB.
const maxWindow = 128 << 20

// seekable is f itself, or a copy of it that is not compressed. f is closed
// where it is not needed any more.
func seekable(ctx context.Context, f *os.File, dir string) (*os.File, error) {
	in := bufio.NewReaderSize(f, 1<<20)
	head, err := in.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	mediaType := compression(head)
	if _, err := f.Seek(0, io.SeekStart); err == nil && mediaType == types.OCIUncompressedLayer {
		return f, nil
	}
	out, err := unnamed(dir)
	if err != nil {
		return nil, err
	}
	// What was peeked at is still in the buffer; the file is read on from the beginning.
	err = decompress(out, &stoppable{ctx, rewound(f, in)}, mediaType)
	if err == nil {
		_, err = out.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return out, f.Close()
}

// rewound reads a file from its beginning. Of a pipe, the beginning is in the
// buffer alone.
func rewound(f *os.File, buffered *bufio.Reader) io.Reader {
	if _, err := f.Seek(0, io.SeekStart); err == nil {
		return f
	}
	return buffered
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

func decompress(dst io.Writer, src io.Reader, mediaType types.MediaType) error {
	var err error
	switch mediaType {
	case types.OCILayer:
		_, err = inflate.Decompress(dst, src)
	case types.OCILayerZStd:
		err = unzstd(dst, src)
	default:
		_, err = io.Copy(dst, src)
	}
	return damaged(err)
}

// damaged tells errors of the stream from those of reading and writing.
func damaged(err error) error {
	if errors.Is(err, inflate.ErrCorrupt) || errors.Is(err, inflate.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &image.RejectedError{Reason: "decompressing it", Err: err}
	}
	return err
}

func unzstd(dst io.Writer, src io.Reader) error {
	d, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return err
	}
	defer d.Close()
	_, err = d.WriteTo(dst)
	return err
}
