package layout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/internal/inmemory"
	"github.com/davit-containers/davit/bundle/progress"
)

// anImage is one with a layer, which need be no archive here, and its layer's blobs.
func anImage(t *testing.T, content string) (*image.Image, inmemory.Blobs) {
	t.Helper()
	m := inmemory.Blobs{}
	d := m.Add([]byte(content), types.OCIUncompressedLayer)
	config := &v1.ConfigFile{OS: "linux", Architecture: image.Host().Architecture, RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{d.Digest}}}
	img, err := image.New(m, &image.Config{ConfigFile: *config}, []v1.Descriptor{d})
	if err != nil {
		t.Fatal(err)
	}
	return img, m
}

// write adds an image to a layout.
func write(t *testing.T, dir string, img *image.Image, name string, report progress.Func) error {
	t.Helper()
	return Write(t.Context(), dir, []Found{{img, []image.Name{parsed(t, name)}}}, report)
}

func parsed(t *testing.T, name string) image.Name {
	t.Helper()
	n, err := image.ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// written is a layout with an image.
func written(t *testing.T, name string) (dir string, img *image.Image) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "layout")
	img, _ = anImage(t, "layer")
	if err := write(t, dir, img, name, nil); err != nil {
		t.Fatal(err)
	}
	return dir, img
}

// read reads an image, with its layer.
func read(t *testing.T, dir, name string) error {
	t.Helper()
	l, err := OpenDir(dir)
	if err != nil {
		return err
	}
	defer l.Close()
	img, err := l.Image(t.Context(), name, image.Host())
	if err != nil {
		return err
	}
	r, err := img.OpenBlob(t.Context(), img.LayerDescriptors()[0], 0)
	if err != nil {
		return err
	}
	return r.Close()
}

// TestHostileLayouts: a file of a layout leads nowhere outside, and is waited for by
// nobody; what is too long is not read.
func TestHostileLayouts(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("layer"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		spoil func(dir, blob string) error
		says  string
	}{
		{"nothing wrong", func(string, string) error { return nil }, ""},
		{"a blob that is a link out", func(_, blob string) error { return replace(blob, os.Symlink, outside) }, "escapes"},
		{"a blob that is a link out by dots", func(_, blob string) error { return replace(blob, os.Symlink, "../../../../../../../.."+outside) }, "escapes"},
		{"a directory of blobs that is a link out", func(dir, _ string) error {
			return replace(filepath.Join(dir, "blobs"), os.Symlink, "/")
		}, "escapes"},
		{"an index that is a link out", func(dir, _ string) error { return replace(filepath.Join(dir, IndexFile), os.Symlink, outside) }, "escapes"},
		{"a blob that is a FIFO", func(_, blob string) error {
			return replace(blob, func(_, path string) error { return unix.Mkfifo(path, 0o666) }, "")
		}, "no regular file"},
		{"an index that is a FIFO", func(dir, _ string) error {
			return replace(filepath.Join(dir, IndexFile), func(_, path string) error { return unix.Mkfifo(path, 0o666) }, "")
		}, "no regular file"},
		{"a blob of another size", func(_, blob string) error { return os.Truncate(blob, 1<<40) }, "its descriptor says 5"},
		{"no blob", func(_, blob string) error { return os.Remove(blob) }, "the blob is missing"},
		{"a huge index", func(dir, _ string) error { return os.Truncate(filepath.Join(dir, IndexFile), 1<<40) }, "more than"},
		{"a huge marker", func(dir, _ string) error { return os.Truncate(filepath.Join(dir, MarkerFile), 1<<40) }, "more than"},
		{"another version", func(dir, _ string) error {
			return os.WriteFile(filepath.Join(dir, MarkerFile), []byte(`{"imageLayoutVersion":"2.0.0"}`), 0o600)
		}, "not supported"},
		{"no marker", func(dir, _ string) error { return os.Remove(filepath.Join(dir, MarkerFile)) }, "no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, img := written(t, "a")
			if err := test.spoil(dir, filepath.Join(dir, BlobPath(img.LayerDescriptors()[0].Digest))); err != nil {
				t.Fatal(err)
			}
			err := read(t, dir, "a")
			if test.says == "" && err == nil {
				return
			}
			if err == nil || test.says == "" || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want an error with %q", err, test.says)
			}
		})
	}
}

// replace puts something else in a file's place.
func replace(path string, put func(string, string) error, to string) error {
	return errors.Join(os.RemoveAll(path), put(to, path))
}

// TestChoosing: an image is found by its name in any spelling, and by its digest; of
// several one is to be named, and the error lists some names, not thousands.
func TestChoosing(t *testing.T) {
	dir, img := written(t, "docker.io/library/a:1")
	for _, name := range []string{"docker.io/library/a:1", "a:1", img.Descriptor().Digest.String(), ""} {
		if err := read(t, dir, name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for i := range 50 {
		if err := write(t, dir, img, fmt.Sprintf("%02d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	err := read(t, dir, "nothere")
	if !errors.Is(err, image.ErrNotFound) || !strings.HasSuffix(err.Error(), "(there are: docker.io/library/a:1, "+strings.Join(numbers(19), ", ")+", and 31 more)") {
		t.Errorf("got %v", err)
	}
	if err := read(t, dir, ""); err == nil || !strings.Contains(err.Error(), "there are 51") {
		t.Errorf("with no name: %v", err)
	}
}

func numbers(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("docker.io/library/%02d:latest", i))
	}
	return list
}

// TestWriteTells each blob, those that are there as such.
func TestWriteTells(t *testing.T) {
	dir, img := written(t, "a")
	other, _ := anImage(t, "another layer")
	for _, test := range []struct {
		img  *image.Image
		want progress.Phase
	}{{img, progress.Exists}, {other, progress.Written}} {
		told := map[progress.Phase]int{}
		if err := write(t, dir, test.img, "b", func(e progress.Event) {
			if e.Phase != progress.Writing && e.Done != e.Total {
				t.Errorf("at its end: %+v", e)
			}
			told[e.Phase]++
		}); err != nil {
			t.Fatal(err)
		}
		if told[test.want] != 3 { // the layer, the configuration, the manifest
			t.Errorf("it told %v", told)
		}
	}
}

// TestWriteThatFails leaves what there was: nothing, or a layout with another image.
func TestWriteThatFails(t *testing.T) {
	broken, blobs := anImage(t, "another layer")
	clear(blobs)
	dir := filepath.Join(t.TempDir(), "a/b")
	if err := write(t, dir, broken, "x", nil); err == nil {
		t.Fatal("an image without its layer was written")
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}
	dir, _ = written(t, "a")
	before := files(t, dir)
	if err := write(t, dir, broken, "a", nil); err == nil {
		t.Fatal("an image without its layer was written")
	}
	if after := files(t, dir); !slices.Equal(after, before) {
		t.Errorf("there was\n%q, and now there is\n%q", before, after)
	}
	if err := read(t, dir, "a"); err != nil {
		t.Error(err)
	}
}

// files are the names in a directory.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestNameMoves: an image that loses its name is not in the index any more.
func TestNameMoves(t *testing.T) {
	dir, _ := written(t, "a")
	other, _ := anImage(t, "another layer")
	if err := write(t, dir, other, "a", nil); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, IndexFile))
	if err != nil {
		t.Fatal(err)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil || len(index.Manifests) != 1 || index.Manifests[0].Digest != other.Descriptor().Digest {
		t.Errorf("got %s, %v", raw, err)
	}
}

// TestWriteTogether: several at once lose each other nothing, and one that fails takes
// nothing of theirs away.
func TestWriteTogether(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "layout")
	var writers sync.WaitGroup
	for i := range 8 {
		img, _ := anImage(t, fmt.Sprint("layer ", i/2))
		found := []Found{{img, []image.Name{parsed(t, fmt.Sprint(i))}}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		writers.Go(func() {
			err := Write(ctx, dir, found, func(e progress.Event) {
				if i%2 == 1 && e.Phase != progress.Writing {
					cancel() // the layer is there, and will be removed again if it is this one's
				}
			})
			if (err != nil) != (i%2 == 1) {
				t.Errorf("image %d: %v", i, err)
			}
		})
	}
	writers.Wait()
	for i := range 8 {
		if err := read(t, dir, fmt.Sprint(i)); (err != nil) != (i%2 == 1) {
			t.Errorf("image %d: %v", i, err)
		}
	}
}

// TestWriteSeveral: all images are added, or none.
func TestWriteSeveral(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "layout")
	one, _ := anImage(t, "one")
	two, _ := anImage(t, "two")
	broken, blobs := anImage(t, "broken")
	clear(blobs)
	if err := Write(t.Context(), dir, []Found{{one, nil}, {broken, nil}}, nil); err == nil {
		t.Error("an image without its layer was written")
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}
	for range 2 { // what has no name is there once
		if err := Write(t.Context(), dir, []Found{{one, nil}, {two, nil}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	l, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if len(l.Entries()) != 2 {
		t.Errorf("there are %d images", len(l.Entries()))
	}
}
