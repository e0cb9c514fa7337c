package diff

import (
	"archive/tar"
	"bytes"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	// minHoles is from how many bytes of holes on a file is written as a sparse
	// one. Fewer are written as zeros, which compress to nothing: the image
	// specification asks to avoid sparse entries, for not all tools read them.
	//
	// Spec (image-spec): layer.md#file-types
	minHoles = 16 << 20
	// minHole is the smallest hole that counts.
	minHole = 64 << 10
	// maxSpans is how many parts a sparse file may have. Readers bound the list
	// at 1 MiB, for its length has been an attack (CVE-2025-58183).
	maxSpans = 16 << 10
)

// span is a part of a file that is no hole.
type span struct{ start, end int64 }

// dataSpans are the parts of a file that are no holes, or nil where it is to be
// written as it is.
func dataSpans(f *os.File, st *unix.Stat_t) ([]span, error) {
	if st.Size-st.Blocks*512 < minHoles {
		return nil, nil
	}
	spans := []span{}
	hole := int64(minHole)
	for at := int64(0); at < st.Size; {
		start, err := nextData(f, at, st.Size)
		if err != nil {
			return nil, err
		}
		if start == st.Size {
			break
		}
		end, err := unix.Seek(int(f.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return nil, fmt.Errorf("looking for holes in %s: %w", f.Name(), err)
		}
		spans = add(spans, span{start, min(end, st.Size)}, hole)
		for len(spans) > maxSpans {
			hole *= 2
			spans = joined(spans, hole)
		}
		at = end
	}
	return spans, nil
}

// add appends a span, or makes the last one longer where the hole between is
// small.
func add(spans []span, s span, hole int64) []span {
	if last := len(spans) - 1; last >= 0 && s.start-spans[last].end < hole {
		spans[last].end = s.end
		return spans
	}
	return append(spans, s)
}

// joined is a list of spans without its small holes.
func joined(spans []span, hole int64) []span {
	var fewer []span
	for _, s := range spans {
		fewer = add(fewer, s, hole)
	}
	return fewer
}

// sparse writes a file with holes in the form of GNU tar that is written as PAX
// records, version 1.0: first the list of the parts, then their data. The
// standard library reads it, and does not write it.
func (l *archiver) sparse(h *tar.Header, f *os.File, spans []span) error {
	list, size := spanList(spans, h.Size), int64(0)
	for _, s := range spans {
		size += s.end - s.start
	}
	if err := l.tar.Flush(); err != nil {
		return err
	}
	if _, err := l.out.Write(sparseHeader(h, int64(len(list))+size)); err != nil {
		return err
	}
	if _, err := l.out.Write(list); err != nil {
		return err
	}
	for _, s := range spans {
		if err := l.content(l.out, f, s.start, s.end, h.Name); err != nil {
			return err
		}
	}
	_, err := l.out.Write(make([]byte, padding(size)))
	return err
}

// spanList is the list of a sparse file's parts: their number, then the start
// and the length of each, one a line, filled up to whole blocks. A part of no
// length at the end gives the file its length.
func spanList(spans []span, size int64) []byte {
	if last := len(spans) - 1; last < 0 || spans[last].end < size {
		spans = append(spans, span{size, size})
	}
	list := fmt.Appendf(nil, "%d\n", len(spans))
	for _, s := range spans {
		list = fmt.Appendf(list, "%d\n%d\n", s.start, s.end-s.start)
	}
	return append(list, make([]byte, padding(int64(len(list))))...)
}

// tarBlock is the unit of a tar.
const tarBlock = 512

// padding is how many bytes are missing to whole blocks.
func padding(size int64) int64 { return -size & (tarBlock - 1) }

// sparseHeader is the header of a sparse file, of which so many bytes follow.
func sparseHeader(h *tar.Header, size int64) []byte {
	records := maps.Clone(h.PAXRecords)
	if records == nil {
		records = map[string]string{}
	}
	records["GNU.sparse.major"], records["GNU.sparse.minor"] = "1", "0"
	records["GNU.sparse.name"] = h.Name
	records["GNU.sparse.realsize"] = strconv.FormatInt(h.Size, 10)
	records["size"] = strconv.FormatInt(size, 10)
	records["uid"], records["gid"] = strconv.Itoa(h.Uid), strconv.Itoa(h.Gid)
	records["mtime"] = paxTime(h)
	var body []byte
	for _, key := range slices.Sorted(maps.Keys(records)) {
		body = append(body, paxRecord(key, records[key])...)
	}
	out := ustar("PaxHeaders.0/"+shortName(h.Name), 'x', &tar.Header{Mode: 0o644, Size: int64(len(body))})
	out = append(append(out, body...), make([]byte, padding(int64(len(body))))...)
	own := *h
	own.Size = size
	return append(out, ustar("GNUSparseFile.0/"+shortName(h.Name), tar.TypeReg, &own)...)
}

// paxTime is a time as a PAX record has it: a decimal fraction of seconds.
func paxTime(h *tar.Header) string {
	seconds, nanos := h.ModTime.Unix(), h.ModTime.Nanosecond()
	if seconds >= 0 {
		return fmt.Sprintf("%d.%09d", seconds, nanos)
	}
	// Before 1970: -1.25 is -2 seconds and 750,000,000 ns.
	if nanos > 0 {
		seconds, nanos = seconds+1, 1_000_000_000-nanos
	}
	return fmt.Sprintf("-%d.%09d", -seconds, nanos)
}

// paxRecord is one record, which begins with its own length.
func paxRecord(key, value string) []byte {
	rest := " " + key + "=" + value + "\n"
	length := len(rest)
	for length != len(rest)+len(strconv.Itoa(length)) {
		length = len(rest) + len(strconv.Itoa(length))
	}
	return append(strconv.AppendInt(nil, int64(length), 10), rest...)
}

// shortName is as much of a path's last name as a header has room for. It only
// serves readers that know no PAX records.
func shortName(name string) string {
	base := path.Base(name)
	return base[:min(len(base), 80)]
}

// ustar is a header block. What has no room in it is 0: the PAX records before
// it have the true value.
func ustar(name string, kind byte, h *tar.Header) []byte {
	out := make([]byte, tarBlock)
	copy(out, name)
	octal := func(at, digits int, value int64) {
		if value>>(3*digits) != 0 {
			value = 0
		}
		copy(out[at:], fmt.Sprintf("%0*o\x00", digits, value))
	}
	octal(100, 7, h.Mode)
	octal(108, 7, int64(h.Uid))
	octal(116, 7, int64(h.Gid))
	octal(124, 11, h.Size)
	octal(136, 11, max(h.ModTime.Unix(), 0))
	out[156] = kind
	copy(out[257:], "ustar\x0000")
	octal(329, 7, 0)
	octal(337, 7, 0)
	copy(out[148:], bytes.Repeat([]byte{' '}, 8))
	sum := int64(0)
	for _, b := range out {
		sum += int64(b)
	}
	copy(out[148:], fmt.Sprintf("%06o\x00 ", sum))
	return out
}
