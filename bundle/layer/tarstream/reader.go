package tarstream

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

const (
	blockSize = 512
	// maxSpecial bounds what is read into memory for one entry: a PAX header, a
	// long name, a sparse map's text.
	maxSpecial = 1 << 20
)

// ErrHeader says that an archive has something else where a header must be, or
// a header that makes no sense.
var ErrHeader = errors.New("invalid tar header")

// ErrTooLong says that a header is longer than any honest one.
var ErrTooLong = errors.New("tar header too long")

// Blocks is where an archive comes from: blocks of any length, each valid until
// the next is asked for. After the last, the error is [io.EOF].
type Blocks interface {
	Next() ([]byte, error)
}

// Reader reads an archive.
type Reader struct {
	src      Blocks
	block    []byte // what is left of the current one
	err      error
	consumed int64

	entry  Entry
	left   int64 // content of the current entry that is not read yet, without padding
	pad    int64 // padding after it
	extent int   // which extent comes next
	within int64 // how much of it is read
	header [blockSize]byte
}

// NewReader reads the archive in src.
func NewReader(src Blocks) *Reader { return &Reader{src: src} }

// Consumed is how many bytes of the archive were read so far.
func (r *Reader) Consumed() int64 { return r.consumed }

// Next goes to the next entry, which is valid until the following call. What
// was not read of the last one's content is skipped.
//
// Errors: [io.EOF] at the end of the archive, [io.ErrUnexpectedEOF] where it is
// cut off, [ErrHeader], [ErrTooLong] and those of the source. They last.
func (r *Reader) Next() (*Entry, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.err = r.next(); r.err != nil {
		return nil, r.err
	}
	return &r.entry, nil
}

func (r *Reader) next() error {
	var special specials
	for {
		if err := r.skip(r.left + r.pad); err != nil {
			return err
		}
		r.left, r.pad = 0, 0
		if err := r.readHeader(); err != nil {
			if special.any {
				return unexpected(err)
			}
			return err
		}
		done, err := r.meta(&special)
		if err != nil {
			return err
		}
		if done {
			return r.begin(&special)
		}
	}
}

// readHeader reads the next header, and what its fields say.
func (r *Reader) readHeader() error {
	if err := r.fill(r.header[:]); err != nil {
		return err
	}
	if r.header == [blockSize]byte{} {
		if err := r.fill(r.header[:]); err != nil {
			return err
		}
		if r.header == [blockSize]byte{} {
			return io.EOF
		}
		return ErrHeader
	}
	if err := parseHeader(&r.entry, &r.header); err != nil {
		return err
	}
	return r.content(r.entry.Size)
}

// content says how much content follows the header.
func (r *Reader) content(size int64) error {
	if !r.entry.HasContent() {
		size = 0
	}
	if size < 0 || size > 1<<62 {
		return ErrHeader
	}
	r.left, r.pad = size, -size&(blockSize-1)
	return nil
}

// specials are what headers without a file of their own say about the next.
type specials struct {
	any        bool
	pax        []record
	name, link string
}

// Types of headers that say something about the next.
const (
	typePAX       = 'x'
	typePAXGlobal = 'g'
	typeLongName  = 'L'
	typeLongLink  = 'K'
	typeGNUSparse = 'S'
	typeV7File    = 0
)

// meta reads what a header without a file of its own says, and reports whether
// the header has one. Global headers are read past, as engines do.
func (r *Reader) meta(s *specials) (bool, error) {
	s.any = true
	switch r.entry.Type {
	case typePAX, typePAXGlobal:
		text, err := r.special()
		if err != nil {
			return false, err
		}
		records, err := parsePAX(text)
		if r.entry.Type == typePAX {
			s.pax = records
		}
		return false, err
	case typeLongName, typeLongLink:
		text, err := r.special()
		name, _, _ := strings.Cut(text, "\x00")
		if r.entry.Type == typeLongName {
			s.name = name
		} else {
			s.link = name
		}
		return false, err
	}
	return true, nil
}

// begin makes the entry what the headers before it say.
func (r *Reader) begin(s *specials) error {
	e := &r.entry
	if err := e.merge(s.pax); err != nil {
		return err
	}
	if s.name != "" {
		e.Name = s.name
	}
	if s.link != "" {
		e.Link = s.link
	}
	if e.Type == typeV7File {
		e.Type = File
		if strings.HasSuffix(e.Name, "/") {
			e.Type = Directory
		}
	}
	if err := r.content(e.Size); err != nil {
		return err
	}
	return r.sparse(s.pax)
}

// special reads the content of a header without a file of its own.
func (r *Reader) special() (string, error) {
	if r.left > maxSpecial {
		return "", ErrTooLong
	}
	text := make([]byte, r.left)
	err := r.must(text)
	r.left = 0
	return string(text), err
}

// Content returns the next part of the entry's content, at most limit bytes
// of it, and where in the file it belongs; it is valid until the next call. At
// the end the error is [io.EOF].
func (r *Reader) Content(limit int) (data []byte, offset int64, err error) {
	if r.err != nil {
		return nil, 0, r.err
	}
	for r.entry.Sparse && r.extent < len(r.entry.Extents) && r.within == r.entry.Extents[r.extent].Length {
		r.extent, r.within = r.extent+1, 0
	}
	n := r.left
	offset = r.within
	if r.entry.Sparse {
		if r.extent == len(r.entry.Extents) {
			return nil, 0, io.EOF
		}
		extent := r.entry.Extents[r.extent]
		n, offset = extent.Length-r.within, extent.Offset+r.within
	}
	if n == 0 {
		return nil, 0, io.EOF
	}
	if err := r.more(); err != nil {
		r.err = unexpected(err)
		return nil, 0, r.err
	}
	data = r.block[:min(int64(len(r.block)), n, int64(limit))]
	r.advance(len(data))
	r.within += int64(len(data))
	r.left -= int64(len(data))
	return data, offset, nil
}

// more makes sure that there is a byte to read.
func (r *Reader) more() error {
	for len(r.block) == 0 {
		block, err := r.src.Next()
		if err != nil {
			return err
		}
		r.block = block
	}
	return nil
}

func (r *Reader) advance(n int) {
	r.block = r.block[n:]
	r.consumed += int64(n)
}

// fill reads into all of p. The error is io.EOF only where nothing is left.
func (r *Reader) fill(p []byte) error {
	for read := 0; read < len(p); {
		if err := r.more(); err != nil {
			if read > 0 {
				return unexpected(err)
			}
			return err
		}
		n := copy(p[read:], r.block)
		r.advance(n)
		read += n
	}
	return nil
}

// must reads into all of p, which must be there, as part of the content.
func (r *Reader) must(p []byte) error {
	if int64(len(p)) > r.left {
		return ErrHeader
	}
	r.left -= int64(len(p))
	return unexpected(r.fill(p))
}

func (r *Reader) skip(n int64) error {
	for n > 0 {
		if err := r.more(); err != nil {
			// Archives that end without the last padding are common.
			if n <= r.pad && err == io.EOF {
				return nil
			}
			return unexpected(err)
		}
		step := min(n, int64(len(r.block)))
		r.advance(int(step))
		n -= step
	}
	return nil
}

// unexpected is err where an end is no end.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// text is a field up to its first NUL.
func text(field []byte) string {
	if i := bytes.IndexByte(field, 0); i >= 0 {
		field = field[:i]
	}
	return string(field)
}
