// Package decompress tells how a stream is compressed and decompresses it, in this
// process: archives of images, and of files.
//
// It is not for layers, whose digests are computed on the way, and which may not be
// compressed in all these ways: see package layer.
package decompress

import (
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/xi2/xz"

	"github.com/davit-containers/davit/bundle/layer/inflate"
)

// Format is how a stream is compressed.
type Format string

// The formats, which the first bytes of a stream tell. Plain is all else.
const (
	Plain Format = ""
	Gzip  Format = "gzip"
	Zstd  Format = "zstd"
	Bzip2 Format = "bzip2"
	Xz    Format = "xz"
	Lz4   Format = "lz4" // which [Copy] refuses by its name
)

// HeadSize is how many bytes tell a format.
const HeadSize = 6

// Detect tells a format by the first bytes.
// Source: RFC 1952, section 2.3.1; RFC 8878, sections 3.1.1 and 3.1.2; the formats' own.
func Detect(head []byte) Format {
	switch {
	case len(head) >= 2 && string(head[:2]) == "\x1f\x8b":
		return Gzip
	case len(head) >= 4 && (string(head[:4]) == "\x28\xb5\x2f\xfd" || head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18"):
		return Zstd // or a frame without data, with which pzstd and zstd:chunked may begin
	case len(head) >= 4 && string(head[:3]) == "BZh" && '1' <= head[3] && head[3] <= '9':
		return Bzip2
	case len(head) >= HeadSize && string(head[:HeadSize]) == "\xfd7zXZ\x00":
		return Xz
	case len(head) >= 4 && string(head[:4]) == "\x04\x22\x4d\x18":
		return Lz4
	}
	return Plain
}

// ErrDamaged says that it is the stream's fault.
var ErrDamaged = errors.New("damaged stream")

// ErrFormat says that it is compressed in a way that nothing here knows.
var ErrFormat = errors.New("not a compression that is known here [gzip, zstd, bzip2 and xz are]")

// maxWindow bounds the memory that a zstd or xz stream may ask for: what `zstd
// --ultra -22`, `zstd --long` and `xz -9` need.
const maxWindow = 128 << 20

// Copy decompresses src into dst.
//
// Errors: [ErrDamaged], [ErrFormat], those of src and dst.
func Copy(dst io.Writer, src io.Reader) error {
	in := bufio.NewReaderSize(src, 1<<20)
	head, err := in.Peek(HeadSize)
	if err != nil && err != io.EOF {
		return err
	}
	switch Detect(head) {
	case Gzip:
		_, err = inflate.Decompress(dst, in)
		return damaged(err)
	case Zstd:
		return unzstd(dst, in)
	case Bzip2:
		return read(dst, in, func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil })
	case Xz:
		return read(dst, in, func(r io.Reader) (io.Reader, error) { return xz.NewReader(r, maxWindow) })
	case Lz4:
		return fmt.Errorf("%s: %w", Lz4, ErrFormat)
	}
	_, err = io.Copy(dst, in)
	return err
}

// NewReader reads src decompressed. It is to be closed, also before its end; src may
// still be read from for a moment then.
//
// Errors of reading: those of [Copy].
func NewReader(src io.Reader) io.ReadCloser {
	r, w := io.Pipe()
	go func() { w.CloseWithError(Copy(w, src)) }()
	return r
}

// read copies what a decompressor reads. What is wrong, and neither src's fault nor
// dst's, is the stream's.
func read(dst io.Writer, src io.Reader, open func(io.Reader) (io.Reader, error)) error {
	in, out := &keeping{r: src}, &keeping{w: dst}
	r, err := open(in)
	if err == nil {
		_, err = io.Copy(out, r)
	}
	if err != nil && in.err == nil && out.err == nil {
		return &damage{err}
	}
	return err
}

func damaged(err error) error {
	if errors.Is(err, inflate.ErrCorrupt) || errors.Is(err, inflate.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &damage{err}
	}
	return err
}

func unzstd(dst io.Writer, src io.Reader) error {
	in, out := &keeping{r: src}, &keeping{w: dst}
	d, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return err
	}
	defer d.Close()
	if _, err = d.WriteTo(out); err != nil && in.err == nil && out.err == nil {
		return &damage{err}
	}
	return err
}

// keeping remembers whether reading or writing failed.
type keeping struct {
	r   io.Reader
	w   io.Writer
	err error
}

func (k *keeping) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	if err != io.EOF {
		k.err = err
	}
	return n, err
}

func (k *keeping) Write(p []byte) (int, error) {
	n, err := k.w.Write(p)
	k.err = err
	return n, err
}

// damage is an error of a stream.
type damage struct{ err error }

func (d *damage) Error() string   { return ErrDamaged.Error() + ": " + d.err.Error() }
func (d *damage) Unwrap() []error { return []error{ErrDamaged, d.err} }
