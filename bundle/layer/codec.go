package layer

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/davit-containers/davit/bundle/decompress"
	"github.com/davit-containers/davit/bundle/layer/inflate"
	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds the memory of a zstd stream: what `zstd --long` needs.
const maxWindow = 128 << 20

// ErrCompression says that a layer is compressed with what no specification
// lets layers be compressed with.
var ErrCompression = errors.New("not a compression that layers may have")

// expand decompresses in, whatever it is compressed with.
// Spec: image-spec layer.md#media-types
func expand(out *fanOut, in io.Reader) error {
	buffered := bufio.NewReaderSize(in, 512)
	head, err := buffered.Peek(decompress.HeadSize)
	if err != nil && err != io.EOF {
		return err
	}
	switch format := decompress.Detect(head); format {
	case decompress.Plain:
		_, err = out.ReadFrom(buffered)
		return err
	case decompress.Gzip:
		return gunzip(out, buffered)
	case decompress.Zstd:
		return unzstd(out, buffered)
	default:
		return fmt.Errorf("%s: %w (gzip and zstd are)", format, ErrCompression)
	}
}

func gunzip(out *fanOut, in io.Reader) error {
	_, err := inflate.Decompress(out, in)
	return err
}

// unzstd decompresses frames, one after the other; those that hold no data, as
// zstd:chunked adds them, are skipped.
func unzstd(out *fanOut, in io.Reader) error {
	d, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return err
	}
	defer d.Close()
	_, err = out.ReadFrom(d)
	return err
}
