package tarstream

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/davit-containers/davit/conformance/needs"
)

// pieces is an archive in blocks of any length.
type pieces struct {
	data []byte
	size int
}

func (p *pieces) Next() ([]byte, error) {
	if len(p.data) == 0 {
		return nil, io.EOF
	}
	n := min(p.size, len(p.data))
	block := p.data[:n]
	p.data = p.data[n:]
	return block, nil
}

// content is the content of the current entry, holes included.
func content(r *Reader, e *Entry) ([]byte, error) {
	all := make([]byte, e.Size)
	for {
		data, offset, err := r.Content(1000)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		copy(all[offset:], data)
	}
}

// both reads an archive with archive/tar and with a Reader, and reports where
// they differ.
func both(archive []byte, size int) error {
	want, got := tar.NewReader(bytes.NewReader(archive)), NewReader(&pieces{archive, size})
	for i := 0; ; i++ {
		h, wantErr := want.Next()
		for wantErr == nil && h.Typeflag == tar.TypeXGlobalHeader {
			h, wantErr = want.Next()
		}
		e, gotErr := got.Next()
		if errors.Is(gotErr, ErrHeader) && wantErr == nil {
			// Of a sparse file, archive/tar finds out when it reads the content.
			if _, err := io.Copy(io.Discard, io.LimitReader(want, 1<<24)); err != nil {
				return nil
			}
		}
		if gotErr == io.ErrUnexpectedEOF && wantErr == io.EOF {
			return nil // The end is after a header that says something about a next.
		}
		if wantErr != nil || gotErr != nil {
			return sameEnd(gotErr, wantErr)
		}
		if err := same(e, h); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		if e.Size > 1<<20 {
			return nil
		}
		c, gotErr := content(got, e)
		w, wantErr := io.ReadAll(want)
		if (gotErr == nil) != (wantErr == nil) || gotErr == nil && e.HasContent() && !bytes.Equal(c, w) {
			return fmt.Errorf("content of entry %d: got %d bytes and error %v, want %d and %v", i, len(c), gotErr, len(w), wantErr)
		}
	}
}

// sameEnd compares how reading ended. Of an error the kind does not matter.
func sameEnd(got, want error) error {
	if (got == io.EOF) != (want == io.EOF) || got == nil || want == nil {
		return fmt.Errorf("got error %v, want %v", got, want)
	}
	return nil
}

func same(e *Entry, h *tar.Header) error {
	kind := h.Typeflag
	if kind == tar.TypeGNUSparse {
		kind = tar.TypeReg
	}
	got := fmt.Sprintf("%q %q %q %#o %d %d %d %v %d %d", e.Type, e.Name, e.Link, e.Mode, e.UID, e.GID, e.Size, e.Mtime.UTC(), e.Major, e.Minor)
	want := fmt.Sprintf("%q %q %q %#o %d %d %d %v %d %d", kind, h.Name, h.Linkname, h.Mode, h.Uid, h.Gid, h.Size, h.ModTime.UTC(), h.Devmajor, h.Devminor)
	if got != want {
		return fmt.Errorf("got %s, want %s", got, want)
	}
	if !e.Atime.Equal(h.AccessTime) {
		return fmt.Errorf("got time of access %v, want %v", e.Atime, h.AccessTime)
	}
	xattrs := map[string]string{}
	for _, x := range e.Xattrs {
		xattrs[x.Name] = x.Value
	}
	for key, value := range h.PAXRecords {
		if name, found := strings.CutPrefix(key, xattrPrefix); found && xattrs[name] != value {
			return fmt.Errorf("attribute %s: got %q, want %q", name, xattrs[name], value)
		}
	}
	return nil
}

// archiveOf is an archive that archive/tar writes, with entries of all kinds.
func archiveOf(t testing.TB, format tar.Format) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	long := strings.Repeat("directory/", 30)
	at := time.Unix(1234567890, 0)
	headers := []tar.Header{
		{Name: "f", Typeflag: tar.TypeReg, Size: 700, Mode: 0o6755, Uid: 1, Gid: 2},
		{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o1777},
		{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "target"},
		{Name: "h", Typeflag: tar.TypeLink, Linkname: "f"},
		{Name: "c", Typeflag: tar.TypeChar, Devmajor: 5, Devminor: 1},
		{Name: "p", Typeflag: tar.TypeFifo},
		{Name: "empty", Typeflag: tar.TypeReg},
	}
	if format != tar.FormatUSTAR {
		headers = append(headers,
			tar.Header{Name: long + "f", Typeflag: tar.TypeReg, Size: 512},
			tar.Header{Name: "ll", Typeflag: tar.TypeSymlink, Linkname: long},
			tar.Header{Name: "big ids", Typeflag: tar.TypeReg, Uid: 1 << 31, Gid: 1 << 40},
		)
	}
	if format == tar.FormatPAX {
		headers = append(headers, tar.Header{
			Name: "x", Typeflag: tar.TypeReg, Size: 3, AccessTime: time.Unix(5, 6), ModTime: time.Unix(-7, 8),
			PAXRecords: map[string]string{"SCHILY.xattr.user.a": "=\x00\n", "SCHILY.xattr.security.capability": "\x01\x00", "other": "1"},
		})
	}
	for _, h := range headers {
		h.Format = format
		if h.ModTime.IsZero() {
			h.ModTime = at
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte{'x'}, int(h.Size))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestReadsWhatArchiveTarWrites(t *testing.T) {
	for _, format := range []tar.Format{tar.FormatUSTAR, tar.FormatPAX, tar.FormatGNU} {
		for _, size := range []int{1, 511, 512, 100_000} {
			if err := both(archiveOf(t, format), size); err != nil {
				t.Errorf("%v, in blocks of %d: %v", format, size, err)
			}
		}
	}
}

// gnuTar are archives of a sparse file, and others, that GNU tar writes.
func gnuTar(t testing.TB) map[string][]byte {
	t.Helper()
	needs.Program(t, "tar")
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(40) {
		if _, err := f.WriteAt(bytes.Repeat([]byte{byte(i + 1)}, 5000), i*16384); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Truncate(900_001), f.Close(), os.Truncate(f.Name(), 900_001),
		os.WriteFile(filepath.Join(dir, strings.Repeat("n", 200)), []byte("x"), 0o644),
		os.Symlink(strings.Repeat("t/", 200), filepath.Join(dir, "l"))); err != nil {
		t.Fatal(err)
	}
	hole, err := os.Create(filepath.Join(dir, "hole"))
	if err == nil {
		err = errors.Join(hole.Truncate(1<<20), hole.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	archives := map[string][]byte{}
	for _, args := range [][]string{
		{"--format=gnu"}, {"--format=oldgnu"}, {"--format=posix", "--sparse-version=0.0"},
		{"--format=posix", "--sparse-version=0.1"}, {"--format=posix", "--sparse-version=1.0"},
	} {
		name := strings.Join(args, " ")
		out, err := exec.Command("tar", append(args, "--sparse", "-C", dir, "-cf", "-", ".")...).Output()
		if err != nil {
			t.Fatalf("tar %s: %v", name, err)
		}
		archives[name] = out
	}
	return archives
}

func TestReadsWhatGNUTarWrites(t *testing.T) {
	for name, archive := range gnuTar(t) {
		for _, size := range []int{100, 512, 1 << 20} {
			if err := both(archive, size); err != nil {
				t.Errorf("%s, in blocks of %d: %v", name, size, err)
			}
		}
	}
}

// header is a header of which the checksum is right.
func header(change func(h []byte)) []byte {
	h := make([]byte, blockSize)
	copy(h, "name")
	copy(h[fieldMagic.from:], "ustar\x0000")
	h[fieldType] = File
	change(h)
	return sum(h)
}

func sum(h []byte) []byte {
	copy(h[fieldSum.from:], "        ")
	total := 0
	for _, c := range h {
		total += int(c)
	}
	copy(h[fieldSum.from:], fmt.Sprintf("%06o\x00 ", total))
	return h
}

func set(f field, text string) func([]byte) {
	return func(h []byte) { copy(h[f.from:f.to], text) }
}

func TestRefusesInvalidHeaders(t *testing.T) {
	pax := func(records string) []byte {
		h := header(func(h []byte) { h[fieldType] = typePAX; copy(h[fieldSize.from:], fmt.Sprintf("%011o", len(records))) })
		return append(append(append(h, records...), make([]byte, -len(records)&511)...), header(func([]byte) {})...)
	}
	cases := []struct {
		name    string
		archive []byte
		want    error
	}{
		{"no header", bytes.Repeat([]byte("x"), 512), ErrHeader},
		{"a wrong checksum", func() []byte { h := header(func([]byte) {}); h[0]++; return h }(), ErrHeader},
		{"half a header", make([]byte, 300), io.ErrUnexpectedEOF},
		{"a zero block and no other", append(make([]byte, 512), header(func([]byte) {})...), ErrHeader},
		{"a size that is no number", header(set(fieldSize, "12x")), ErrHeader},
		{"a negative size", header(set(fieldSize, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")), ErrHeader},
		{"a number that is too large", header(set(fieldUID, "\x80\xff\xff\xff\xff\xff\xff\xff")), nil},
		{"a PAX record without end", pax("20 path=x\n"), ErrHeader},
		{"a PAX record without a key", pax("5 =x\n"), ErrHeader},
		{"a PAX record with a wrong length", pax("8 path=x\n"), ErrHeader},
		{"a PAX path with a NUL", pax("11 path=a\x00\n"), ErrHeader},
		{"a PAX size that is no number", pax("10 size=x\n"), ErrHeader},
		{"a negative PAX size", pax("11 size=-5\n"), ErrHeader},
		{"a PAX header of 1 TiB", header(func(h []byte) {
			h[fieldType] = typePAX
			copy(h[fieldSize.from:], "\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00")
		}), ErrTooLong},
		{"a long name of 1 TiB", header(func(h []byte) {
			h[fieldType] = typeLongName
			copy(h[fieldSize.from:], "\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00")
		}), ErrTooLong},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewReader(&pieces{c.archive, 1 << 20}).Next()
			if !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("got error %v, want %v", err, c.want)
			}
		})
	}
}

// sparseOf is the beginning of an archive with a sparse file of format 1.0,
// whose map is content.
func sparseOf(size int64, content string) []byte {
	records := ""
	for _, r := range []string{"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=s", fmt.Sprintf("GNU.sparse.realsize=%d", size)} {
		n := len(r) + 4
		records += fmt.Sprintf("%d %s\n", n, r)
	}
	padded := content + strings.Repeat("\x00", -len(content)&511)
	h := header(func(h []byte) { h[fieldType] = typePAX; copy(h[fieldSize.from:], fmt.Sprintf("%011o", len(records))) })
	h = append(append(h, records...), make([]byte, -len(records)&511)...)
	return append(append(h, header(set(fieldSize, fmt.Sprintf("%011o", len(padded))))...), padded...)
}

func TestSparseMapsThatMakeNoSense(t *testing.T) {
	cases := []struct{ name, content string }{
		{"parts that overlap", "2\n0\n100\n50\n10\n"},
		{"a part beyond the file", "1\n900\n200\n"},
		{"a part whose end overflows", "1\n9223372036854775807\n9223372036854775807\n"},
		{"a negative length", "1\n5\n-1\n"},
		{"a negative number of parts", "-1\n"},
		{"no number", "x\n"},
		{"a line without end", strings.Repeat("1", 512)},
		{"more parts than lines", "5\n0\n1\n"},
		{"more data than there is", "1\n0\n1000\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewReader(&pieces{sparseOf(1000, c.content), 1 << 20}).Next()
			if !errors.Is(err, ErrHeader) && !errors.Is(err, ErrTooLong) {
				t.Errorf("got error %v, want %v", err, ErrHeader)
			}
		})
	}
}

func TestSparseFileOf2To60Bytes(t *testing.T) {
	archive := sparseOf(1<<60, "1\n1152921504606846971\n5\n")
	archive = archive[:len(archive)-512]
	archive = append(archive, sparseOf(1<<60, "1\n1152921504606846971\n5\n")[1024+512:]...)
	size := fmt.Sprintf("%011o", 512+5)
	copy(archive[1024:], sum(slices.Concat(archive[1024:1024+fieldSize.from], []byte(size), archive[1024+fieldSize.from+len(size):1536])))
	archive = append(archive, append([]byte("data!"), make([]byte, 507)...)...)
	r := NewReader(&pieces{archive, 4096})
	e, err := r.Next()
	if err != nil || e.Size != 1<<60 || !slices.Equal(e.Extents, []Extent{{1<<60 - 5, 5}}) {
		t.Fatalf("got %+v and error %v", e, err)
	}
	data, offset, err := r.Content(100)
	if string(data) != "data!" || offset != 1<<60-5 || err != nil {
		t.Errorf("got %q at %d and error %v", data, offset, err)
	}
	if _, _, err := r.Content(100); err != io.EOF {
		t.Errorf("got error %v at the end", err)
	}
}

// endlessMap is a sparse map that claims a billion parts, and has them.
type endlessMap struct {
	head []byte
	n    int64
}

func (m *endlessMap) Next() ([]byte, error) {
	if m.head != nil {
		head := m.head
		m.head = nil
		return head, nil
	}
	m.n++
	return fmt.Appendf(nil, "%d\n1\n", 2*m.n), nil
}

func TestMemoryOfABillionParts(t *testing.T) {
	for _, claim := range []string{"1000000000\n", "1000000\n"} {
		head := sparseOf(1<<60, claim)
		head = head[:len(head)-512+len(claim)]
		copy(head[1024:], sum(slices.Concat(head[1024:1024+fieldSize.from], []byte("\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00"), head[1024+fieldSize.to:1536])))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := NewReader(&endlessMap{head: head}).Next()
		runtime.ReadMemStats(&after)
		if want := map[string]error{"1000000000\n": ErrTooLong, "1000000\n": ErrHeader}[claim]; !errors.Is(err, want) {
			t.Errorf("claiming %s: got error %v", strings.TrimSpace(claim), err)
		}
		if peak := after.TotalAlloc - before.TotalAlloc; peak > 256<<20 {
			t.Errorf("claiming %s: %d bytes were allocated", strings.TrimSpace(claim), peak)
		}
	}
}

// FuzzReader reads anything as archive/tar does.
func FuzzReader(f *testing.F) {
	for _, format := range []tar.Format{tar.FormatUSTAR, tar.FormatPAX, tar.FormatGNU} {
		f.Add(archiveOf(f, format))
	}
	for _, archive := range gnuTar(f) {
		f.Add(archive[:min(len(archive), 8<<10)])
	}
	f.Add(sparseOf(1000, "1\n0\n10\n"))
	f.Fuzz(func(t *testing.T, mutated []byte) {
		archive := bytes.Clone(mutated)
		for at := 0; at+blockSize <= len(archive); at += blockSize {
			if block := archive[at:][:blockSize]; bytes.HasPrefix(block[fieldMagic.from:], []byte("ustar")) {
				sum(block) // Otherwise nothing but checksums would be tested.
			}
		}
		if err := both(archive, 700); err != nil {
			t.Error(err)
		}
	})
}
