package diff

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/treetest"
)

// sparseFile makes a file of a size with a few bytes at some places.
func sparseFile(t *testing.T, name string, size int64, places ...int64) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	err = f.Truncate(size)
	for _, at := range places {
		_, writeErr := f.WriteAt([]byte("data"), at)
		err = errors.Join(err, writeErr)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestSparseFiles(t *testing.T) {
	d := t.TempDir()
	const size = 1 << 40
	long := strings.Repeat("n", 250)
	sparseFile(t, filepath.Join(d, long), size, 0, 1<<20, 1<<35)
	sparseFile(t, d+"/full to the end", 1<<26, 1<<26-4)
	sparseFile(t, d+"/hole", 1<<33)
	sparseFile(t, d+"/small", minHoles-1)
	old := time.Unix(-7, 250_000_000)
	if err := errors.Join(os.Chtimes(d+"/hole", old, old), unix.Setxattr(d+"/hole", "user.k", []byte("v"), 0)); err != nil {
		t.Fatal(err)
	}
	data := layerOf(t, Source{}, Directory(d), Options{})
	if len(data) > minHoles+(1<<20) {
		t.Errorf("the layer has %d bytes", len(data))
	}
	want := map[string]int64{long: size, "full to the end": 1 << 26, "hole": 1 << 33, "small": minHoles - 1}
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != "./" && h.Size != want[h.Name] {
			t.Errorf("%s has %d bytes", h.Name, h.Size)
		}
		if h.Name == "hole" && (!h.ModTime.Equal(old) || h.PAXRecords["SCHILY.xattr.user.k"] != "v") {
			t.Errorf("hole has the time %v and the records %v", h.ModTime, h.PAXRecords)
		}
		if h.Name == "full to the end" {
			tail, err := io.ReadAll(r)
			if err != nil || !bytes.HasSuffix(tail, []byte("\x00data")) {
				t.Errorf("reading %s: %d bytes, %v", h.Name, len(tail), err)
			}
		}
		delete(want, h.Name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	unpacked := t.TempDir()
	gnuTar(t, unpacked, data)
	treetest.Equal(t, unpacked, d)
}

// gnuTar unpacks a layer with tar.
func gnuTar(t *testing.T, into string, layer []byte) {
	t.Helper()
	cmd := exec.Command("tar", "--extract", "--xattrs", "--xattrs-include=*", "--same-permissions", "--same-owner", "--numeric-owner", "--delay-directory-restore", "--directory", into)
	if os.Getuid() != 0 {
		cmd.Args = append(cmd.Args, "--no-same-owner")
	}
	cmd.Stdin = bytes.NewReader(layer)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
}

func TestSparseFilesAreComparedCheaply(t *testing.T) {
	old, new := t.TempDir(), t.TempDir()
	for _, d := range []string{old, new} {
		sparseFile(t, d+"/f", 1<<43, 5, 1<<42)
		if err := errors.Join(os.Chtimes(d+"/f", treetest.Epoch, treetest.Epoch), os.Chtimes(d, treetest.Epoch, treetest.Epoch)); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, layerOf(t, Directory(old), Directory(new), Options{})); got != "" {
		t.Errorf("equal files differ: %s", got)
	}
	sparseFile(t, new+"/f", 1<<43, 5, 1<<42+1)
	if err := errors.Join(os.Chtimes(new+"/f", treetest.Epoch, treetest.Epoch), os.Chtimes(new, treetest.Epoch, treetest.Epoch)); err != nil {
		t.Fatal(err)
	}
	got, err := Changes(t.Context(), Directory(old), Directory(new), Options{})
	if err != nil || len(got) != 1 || got[0] != (Change{Modified, "f"}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestManySpans(t *testing.T) {
	var spans []span
	hole := int64(minHole)
	for i := range int64(3 * maxSpans) {
		spans = add(spans, span{i << 20, i<<20 + 4096}, hole)
		for len(spans) > maxSpans {
			hole *= 2
			spans = joined(spans, hole)
		}
	}
	if len(spans) == 0 || len(spans) > maxSpans {
		t.Fatalf("got %d spans", len(spans))
	}
	if last := spans[len(spans)-1]; spans[0].start != 0 || last.end != (3*maxSpans-1)<<20+4096 {
		t.Errorf("got from %d to %d", spans[0].start, last.end)
	}
	if n := len(spanList(spans, 1<<60)); n > 1<<20 {
		t.Errorf("the list has %d bytes, more than readers take", n)
	}
}
