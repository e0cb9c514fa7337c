package layer

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/davit-containers/davit/bundle/layer/tarstream"
	. "github.com/davit-containers/davit/conformance/treetest"
	"golang.org/x/sys/unix"
)

func TestDeepDirectories(t *testing.T) {
	needRoot(t)
	deep := strings.Repeat("d/", 1500)
	first := Tar(t, Dir("."), File(deep+"x", "1"), Dir(deep+"e").Mode(0o700), File(deep+"gone", ""))
	second := Tar(t, File(deep+"y", "2"), Whiteout(deep+"gone"), Link(deep+"z", deep+"x"))
	overlaid, err := overlayForm(t, Options{}, first, second)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := plainForm(t, Options{}, first, second)
	if err != nil {
		t.Fatal(err)
	}
	Equal(t, overlaid, plain, ignoreOverlay...)
	at := filepath.Clean(deep)
	if e := Read(t, plain)[at+"/z"]; e.Links != at+"/x" || e.Size != 1 {
		t.Errorf("the hard link at the bottom is %+v", e)
	}
	if err := NewPlain(openDir(t, plain), Options{}).Apply(context.Background(), bytes.NewReader(Tar(t, Whiteout("d")))); err != nil {
		t.Fatal(err)
	}
	if got := Read(t, plain); len(got) != 1 {
		t.Errorf("after removing all, there are %d entries", len(got))
	}
}

func TestTooDeep(t *testing.T) {
	for _, items := range [][]Item{
		{File(strings.Repeat("d/", 5000)+"x", "")},
		{Symlink("l", strings.Repeat("d/", 2000)), File("l/"+strings.Repeat("e/", 5000)+"x", "")},
	} {
		_, err := Unpack(context.Background(), openDir(t, t.TempDir()), bytes.NewReader(Tar(t, items...)), Options{})
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("got error %v, want %v", err, ErrInvalid)
		}
	}
}

// sparse is an entry of a sparse file whose only data is at its end.
func sparse(name string, size int64) Item {
	i := File(name, fmt.Sprintf("1\n%d\n5\n", size-5))
	i.Body += strings.Repeat("\x00", 512-len(i.Body)) + "data!"
	i.Header.Size = int64(len(i.Body))
	for _, r := range []string{"major=1", "minor=0", "name=" + name, fmt.Sprint("realsize=", size)} {
		key, value, _ := strings.Cut(r, "=")
		i = i.Record("GNU.sparse."+key, value)
	}
	return i
}

// sparseTar writes what archive/tar does not write: it keeps GNU's records for
// itself.
func sparseTar(t testing.TB, name string, size int64) []byte {
	t.Helper()
	archive := Tar(t, sparseHidden(sparse(name, size)))
	return bytes.ReplaceAll(archive, []byte("XNU.sparse."), []byte("GNU.sparse."))
}

func sparseHidden(i Item) Item {
	records := map[string]string{}
	for key, value := range i.Header.PAXRecords {
		records["X"+key[1:]] = value
	}
	i.Header.PAXRecords = records
	return i
}

func TestSparseFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := Unpack(context.Background(), openDir(t, dir), bytes.NewReader(sparseTar(t, "s", 1<<40)), Options{}); err != nil {
		t.Fatal(err)
	}
	st := Read(t, dir)["s"]
	if st.Size != 1<<40 || st.Blocks > 64 {
		t.Errorf("got %d bytes in %d blocks, want 2^40 bytes in few", st.Size, st.Blocks)
	}
}

func TestSparseFileBeyondTheFileSystem(t *testing.T) {
	dir := t.TempDir()
	_, err := Unpack(context.Background(), openDir(t, dir), bytes.NewReader(sparseTar(t, "s", 1<<60)), Options{})
	if err == nil {
		if st := Read(t, dir)["s"]; st.Size != 1<<60 || st.Blocks > 64 {
			t.Errorf("got %d bytes in %d blocks, want 2^60 bytes in few", st.Size, st.Blocks)
		}
	} else if !errors.Is(err, unix.EFBIG) {
		t.Errorf("got error %v, want %v", err, unix.EFBIG)
	}
}

// allocated is how much memory f takes, all together.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestMemoryOfABomb(t *testing.T) {
	var member bytes.Buffer
	w, _ := gzip.NewWriterLevel(&member, gzip.BestCompression)
	if _, err := w.Write(make([]byte, 16<<20)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	bomb := bytes.Repeat(member.Bytes(), 16)
	read := int64(0)
	memory := allocated(func() {
		r, err := Open(context.Background(), bytes.NewReader(bomb), blobOf(bomb, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if read, err = io.Copy(io.Discard, r); err != nil {
			t.Fatal(err)
		}
		var mismatch *MismatchError
		if err := r.Verify(); !errors.As(err, &mismatch) || mismatch.What != "diff_id" {
			t.Errorf("got error %v, want one of the diff_id", err)
		}
	})
	if read != 256<<20 || memory > 32<<20 {
		t.Errorf("%d bytes were read, and %d MiB allocated; want 256 MiB and at most 32 MiB", read, memory>>20)
	}
}

func TestMemoryOfAWindow(t *testing.T) {
	// A frame with a window of 2 GiB, and a block of one byte repeated.
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x03, 0x00, 0x10, 'x'}
	if memory := allocated(func() {
		if _, err := readAll(frame, blobOf(frame, nil)); err == nil {
			t.Error("a window of 2 GiB is accepted")
		}
	}); memory > 160<<20 {
		t.Errorf("%d MiB were allocated", memory>>20)
	}
}

func TestMemoryOfHeaders(t *testing.T) {
	huge := func(kind byte) []byte {
		h := header(t, tar.Header{Name: "x", Typeflag: tar.TypeReg, Size: 1 << 40, Format: tar.FormatGNU})
		old := h[156]
		h[156] = kind
		total := 0
		fmt.Sscanf(string(h[148:154]), "%o", &total)
		copy(h[148:], fmt.Sprintf("%06o\x00 ", total-int(old)+int(kind)))
		return h
	}
	for _, c := range []struct {
		kind byte
		want error
	}{{tar.TypeXHeader, tarstream.ErrTooLong}, {tar.TypeXGlobalHeader, tarstream.ErrTooLong}, {tar.TypeGNULongName, tarstream.ErrTooLong}, {tar.TypeReg, io.ErrUnexpectedEOF}} {
		memory := allocated(func() {
			_, err := Unpack(context.Background(), openDir(t, t.TempDir()), bytes.NewReader(huge(c.kind)), Options{})
			if !errors.Is(err, c.want) {
				t.Errorf("type %q of 1 TiB: got error %v, want %v", c.kind, err, c.want)
			}
		})
		if memory > 16<<20 {
			t.Errorf("type %q of 1 TiB: %d MiB were allocated", c.kind, memory>>20)
		}
	}
}

// endless is an archive of more and more entries.
type endless struct {
	t testing.TB
	n int
}

func (e *endless) Next() ([]byte, error) {
	e.n++
	return header(e.t, tar.Header{Name: fmt.Sprintf("d/%d/.wh.%d", e.n%1000, e.n)}), nil
}

func (e *endless) Read([]byte) (int, error) { return 0, io.EOF }

func TestLimits(t *testing.T) {
	_, err := Unpack(context.Background(), openDir(t, t.TempDir()), &endless{t: t}, Options{Limits: Limits{Entries: 5000}})
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "5000 entries") {
		t.Errorf("got error %v, want one of 5000 entries", err)
	}
	implied := Tar(t, Whiteout(strings.Repeat("a/", 1000)+"x"), Whiteout(strings.Repeat("b/", 1000)+"x"))
	_, err = Unpack(context.Background(), openDir(t, t.TempDir()), bytes.NewReader(implied), Options{Limits: Limits{Entries: 1500}})
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "1500 entries") {
		t.Errorf("got error %v, want one of 1500 entries", err)
	}
	files := Tar(t, File("a", "12345"), File("b", "12345"))
	_, err = Unpack(context.Background(), openDir(t, t.TempDir()), bytes.NewReader(files), Options{Limits: Limits{Bytes: 9}})
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "9 bytes") {
		t.Errorf("got error %v, want one of 9 bytes", err)
	}
}

func TestMemoryOfEntries(t *testing.T) {
	const entries = 30_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var u *unpacker
	form := &peeking{blocks: &endless{t: t}, left: entries, at: func() {
		runtime.GC()
		runtime.ReadMemStats(&after)
	}}
	u = newUnpacker(context.Background(), -1, Options{})
	u.base = int(openDir(t, t.TempDir()).Fd())
	if err := u.unpack(form)(); err != nil {
		t.Fatal(err)
	}
	if each := (after.HeapAlloc - before.HeapAlloc) / entries; each > 300 {
		t.Errorf("an entry takes %d bytes", each)
	}
	runtime.KeepAlive(u)
}

// peeking is the beginning of an archive, and something done at its end.
type peeking struct {
	blocks *endless
	left   int
	at     func()
}

func (p *peeking) Next() ([]byte, error) {
	if p.left--; p.left < 0 {
		p.at()
		return nil, io.EOF
	}
	return p.blocks.Next()
}

func (p *peeking) Read([]byte) (int, error) { return 0, io.EOF }

func TestTruncatedArchive(t *testing.T) {
	needRoot(t)
	archive := Tar(t, Dir("d"), File("d/f", strings.Repeat("x", 5000)), File("d/g", "y"))
	for _, length := range []int{100, 512, 700, 1024, 1536, 3000, 6000} {
		dir := openDir(t, t.TempDir())
		u, err := Unpack(context.Background(), dir, bytes.NewReader(archive[:length]), Options{})
		if err == nil {
			u.Close()
		}
		// Cut between two entries, an archive is one without its end, as some write it.
		if clean := length == 1536; clean != (err == nil) || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: got error %v", length, err)
		}
	}
}

func TestProgressAndSkipped(t *testing.T) {
	needRoot(t)
	archive := Tar(t, File("a", string(noise(3<<20))), Symlink("l", "x").Xattr("user.x", "no link may have it"))
	var told []int64
	var skipped []string
	o := Options{
		Progress: func(n int64) { told = append(told, n) },
		Skipped:  func(name, what string) { skipped = append(skipped, name+": "+what) },
	}
	if _, err := Unpack(context.Background(), openDir(t, t.TempDir()), bytes.NewReader(archive), o); err != nil {
		t.Fatal(err)
	}
	if len(told) < 3 || told[len(told)-1] != int64(len(archive)) {
		t.Errorf("of %d bytes, progress told %v", len(archive), told)
	}
	if want := "l: extended attribute user.x: operation not permitted"; len(skipped) != 1 || skipped[0] != want {
		t.Errorf("skipped: %q, want %q", skipped, want)
	}
}

// FuzzUnpack lays anything over a tree, in both forms, which must agree.
func FuzzUnpack(f *testing.F) {
	needRoot(f)
	for _, c := range layerCases {
		f.Add(Tar(f, c.layers[len(c.layers)-1]...))
	}
	for _, c := range invalidLayers {
		f.Add(Tar(f, c.layers[len(c.layers)-1]...))
	}
	lower := Tar(f, Dir("."), Dir("d").Mode(0o700), File("d/x", "1"), Link("g", "d/x"), Dir("d/e"), File("d/e/f", ""), Dir("usr"), Dir("usr/bin"), Symlink("bin", "usr/bin"), Symlink("l", "../d"), File("f", "x"))
	f.Fuzz(func(t *testing.T, mutated []byte) {
		archive := resummed(mutated)
		overlaid, overlayErr := overlayForm(t, Options{Limits: Limits{Entries: 100, Bytes: 1 << 20}}, lower, archive)
		plain, plainErr := plainForm(t, Options{Limits: Limits{Entries: 100, Bytes: 1 << 20}}, lower, archive)
		if (overlayErr == nil) != (plainErr == nil) {
			t.Fatalf("overlay form: %v; plain form: %v", overlayErr, plainErr)
		}
		if overlayErr == nil {
			Equal(t, overlaid, plain, ignoreOverlay...)
		}
	})
}

// resummed is an archive of which the headers' checksums are right: otherwise
// nothing else would be tested.
func resummed(mutated []byte) []byte {
	archive := bytes.Clone(mutated)
	for at := 0; at+512 <= len(archive); at += 512 {
		block := archive[at:][:512]
		if !bytes.HasPrefix(block[257:], []byte("ustar")) {
			continue
		}
		copy(block[148:], "        ")
		total := 0
		for _, c := range block {
			total += int(c)
		}
		copy(block[148:], fmt.Sprintf("%06o\x00 ", total))
	}
	return archive
}

// FuzzOpen reads anything.
func FuzzOpen(f *testing.F) {
	content := noise(300)
	f.Add(content)
	f.Add(gzipped(content, content))
	f.Add(zstded(f, content))
	f.Fuzz(func(t *testing.T, blob []byte) {
		r, err := Open(context.Background(), bytes.NewReader(blob), blobOf(blob, content))
		if err != nil {
			t.Fatal(err)
		}
		got, reading := io.ReadAll(io.LimitReader(r, 1<<24))
		if len(got) == 1<<24 {
			r.Close()
			return
		}
		verifying := r.Verify()
		if same := reading == nil && bytes.Equal(got, content); same != (verifying == nil) {
			t.Errorf("read %d bytes with error %v, and verifying says %v", len(got), reading, verifying)
		}
		r.Close()
	})
}
