package tarstream

import (
	"strings"
)

const (
	sparsePrefix = "GNU.sparse."
	// maxExtents bounds the map of a sparse file: 16 MiB in memory.
	maxExtents = 1 << 20
)

// sparse reads the map of a sparse file, if the entry is one.
// Source: "Storing Sparse Files" in GNU tar's manual.
func (r *Reader) sparse(pax []record) error {
	r.extent, r.within = 0, 0
	var err error
	if r.entry.Type == typeGNUSparse {
		r.entry.Type = File
		err = r.oldSparse()
	} else {
		err = r.paxSparse(pax)
	}
	if err != nil || !r.entry.Sparse {
		return err
	}
	return r.checkExtents()
}

// checkExtents refuses a map that makes no sense: parts that overlap, go beyond
// the file, or hold another amount of data than is there.
func (r *Reader) checkExtents() error {
	e := &r.entry
	if !e.HasContent() || e.Size < 0 {
		return ErrHeader
	}
	var end, data int64
	for _, x := range e.Extents {
		if x.Offset < end || x.Length < 0 || x.Length > e.Size-x.Offset {
			return ErrHeader
		}
		end = x.Offset + x.Length
		data += x.Length
	}
	if data != r.left {
		return ErrHeader
	}
	return nil
}

func (e *Entry) addExtent(offset, length int64) error {
	if len(e.Extents) >= maxExtents {
		return ErrTooLong
	}
	e.Extents = append(e.Extents, Extent{offset, length})
	return nil
}

// oldSparse reads the map of GNU's old format: in the header, and in blocks
// that follow it.
func (r *Reader) oldSparse() error {
	if !isGNU(&r.header) {
		return ErrHeader
	}
	p := parser{header: &r.header}
	r.entry.Sparse = true
	r.entry.Size = p.number(fieldRealSize)
	part, more := p.bytes(fieldSparse), r.header[fieldIsExtended]
	for {
		if err := r.oldExtents(&p, part); err != nil {
			return err
		}
		if more == 0 {
			return nil
		}
		if err := unexpected(r.fill(r.header[:])); err != nil {
			return err
		}
		part, more = r.header[:504], r.header[504]
	}
}

func (r *Reader) oldExtents(p *parser, part []byte) error {
	for ; len(part) >= 24 && part[0] != 0; part = part[24:] {
		offset, length := p.numeric(part[:12]), p.numeric(part[12:24])
		if p.err != nil {
			return p.err
		}
		if err := r.entry.addExtent(offset, length); err != nil {
			return err
		}
	}
	return p.err
}

// paxSparse reads the map of GNU's formats 0.0, 0.1 and 1.0, which are all
// announced by PAX records.
func (r *Reader) paxSparse(pax []record) error {
	m := sparseRecords(pax)
	inContent := false
	switch version := [2]string{m.major, m.minor}; {
	case version == [2]string{"1", "0"}:
		inContent = true
	case version == [2]string{"0", "0"} || version == [2]string{"0", "1"}:
	case m.major != "" || m.minor != "", m.list == "" && m.pairs == nil:
		return nil
	}
	r.entry.Sparse = true
	if m.name != "" {
		r.entry.Name = m.name
	}
	if m.size != "" {
		size, err := decimal(m.size)
		if err != nil {
			return err
		}
		r.entry.Size = size
	}
	if inContent {
		return r.contentMap()
	}
	return r.entry.recordMap(m)
}

// sparseMap is what PAX records say about a sparse file.
type sparseMap struct {
	major, minor, name, size, count, list string
	pairs                                 []record // of format 0.0, which repeats its keys
}

func sparseRecords(pax []record) (m sparseMap) {
	for _, r := range pax {
		key, found := strings.CutPrefix(r.key, sparsePrefix)
		if !found {
			continue
		}
		switch key {
		case "major":
			m.major = r.value
		case "minor":
			m.minor = r.value
		case "name":
			m.name = r.value
		case "size":
			m.size = r.value
		case "realsize":
			if m.size == "" {
				m.size = r.value
			}
		case "numblocks":
			m.count = r.value
		case "map":
			m.list = r.value
		case "offset", "numbytes":
			m.pairs = append(m.pairs, record{key, r.value})
		}
	}
	return m
}

// recordMap reads the map of formats 0.0 and 0.1.
func (e *Entry) recordMap(m sparseMap) error {
	count, err := decimal(m.count)
	if err != nil || count < 0 {
		return ErrHeader
	}
	numbers, err := m.numbers()
	if err != nil || int64(len(numbers))%2 != 0 || int64(len(numbers)/2) != count {
		return ErrHeader
	}
	for ; len(numbers) > 0; numbers = numbers[2:] {
		if err := e.addExtent(numbers[0], numbers[1]); err != nil {
			return err
		}
	}
	return nil
}

// numbers are a map's offsets and lengths, in turn. Format 0.0 has them as
// records of their own, 0.1 with commas between them.
func (m sparseMap) numbers() ([]int64, error) {
	var texts []string
	for i, pair := range m.pairs {
		if pair.key != [2]string{"offset", "numbytes"}[i%2] {
			return nil, ErrHeader
		}
		texts = append(texts, pair.value)
	}
	if m.pairs == nil && m.list != "" {
		texts = strings.Split(m.list, ",")
	}
	numbers := make([]int64, len(texts))
	for i, text := range texts {
		n, err := decimal(text)
		if err != nil {
			return nil, err
		}
		numbers[i] = n
	}
	return numbers, nil
}

// contentMap reads the map of format 1.0: numbers, each on a line, at the
// beginning of the content, in blocks of their own.
func (r *Reader) contentMap() error {
	lines := &mapLines{reader: r}
	count, err := lines.number()
	if err != nil {
		return err
	}
	if count < 0 || count > maxExtents {
		return ErrTooLong
	}
	for range count {
		offset, err := lines.number()
		if err != nil {
			return err
		}
		length, err := lines.number()
		if err != nil {
			return err
		}
		if err := r.entry.addExtent(offset, length); err != nil {
			return err
		}
	}
	return nil
}

// mapLines are the lines of a map in an entry's content.
type mapLines struct {
	reader *Reader
	rest   []byte
	block  [blockSize]byte
}

// number reads a line. None is longer than 63 bytes.
func (l *mapLines) number() (int64, error) {
	var line [64]byte
	for n := 0; n < len(line); n++ {
		if len(l.rest) == 0 {
			if err := l.reader.must(l.block[:]); err != nil {
				return 0, err
			}
			l.rest = l.block[:]
		}
		c := l.rest[0]
		l.rest = l.rest[1:]
		if c == '\n' {
			return decimal(string(line[:n]))
		}
		line[n] = c
	}
	return 0, ErrHeader
}
