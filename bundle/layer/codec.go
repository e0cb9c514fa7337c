package layer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/davit-containers/davit/bundle/layer/inflate"
	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds the memory of a zstd stream: what `zstd --long` needs.
const maxWindow = 128 << 20

// ErrCompression says that a layer is compressed with what no specification
// lets layers be compressed with.
var ErrCompression = errors.New("not a compression that layers may have")

// codec is a compression, known by the first bytes of what it writes.
type codec struct {
	name  string
	magic []byte
	run   func(out *fanOut, in io.Reader) error
}

// codecs are the compressions that layers have, and those that people try.
// Spec: image-spec layer.md#media-types
var codecs = []codec{
	{"gzip", []byte{0x1f, 0x8b}, gunzip},
	{"zstd", []byte{0x28, 0xb5, 0x2f, 0xfd}, unzstd},
	{"bzip2", []byte("BZh"), nil},
	{"xz", []byte("\xfd7zXZ\x00"), nil},
	{"lz4", []byte{0x04, 0x22, 0x4d, 0x18}, nil},
}

// decompress decompresses in, whatever it is compressed with.
func decompress(out *fanOut, in io.Reader) error {
	buffered := bufio.NewReaderSize(in, 512)
	head, err := buffered.Peek(6)
	if err != nil && err != io.EOF {
		return err
	}
	for _, c := range codecs {
		if !bytes.HasPrefix(head, c.magic) {
			continue
		}
		if c.run == nil {
			return fmt.Errorf("%s: %w (gzip and zstd are)", c.name, ErrCompression)
		}
		return c.run(out, buffered)
	}
	if isSkippable(head) {
		return unzstd(out, buffered)
	}
	_, err = out.ReadFrom(buffered)
	return err
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

// isSkippable says whether a zstd stream begins with a frame that holds no data.
// Source: RFC 8878, section 3.1.2.
func isSkippable(head []byte) bool {
	return len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18})
}
