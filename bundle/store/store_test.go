package store

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/internal/inmemory"
	"github.com/davit-containers/davit/conformance/guard"
	"github.com/davit-containers/davit/conformance/needs"
)

// archiveOf is a layer with some files of a few bytes, which seed varies.
func archiveOf(files int, seed uint64) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	content := make([]byte, 3000)
	random := rand.New(rand.NewPCG(seed, 0))
	for n := range files {
		for i := range content {
			content[i] = byte(random.Uint32() & 15)
		}
		w.WriteHeader(&tar.Header{Name: fmt.Sprintf("dir%d/file%d-%d", n%7, seed, n), Size: int64(len(content)), Mode: 0o644})
		w.Write(content)
	}
	w.Close()
	return out.Bytes()
}

// archiveWith is a layer with one file.
func archiveWith(name string, content []byte) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644})
	w.Write(content)
	w.Close()
	return out.Bytes()
}

func zipped(raw []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(raw)
	w.Close()
	return out.Bytes()
}

// layered is an image of some archives, in gzip.
func layered(t testing.TB, archives ...[]byte) *image.Image {
	t.Helper()
	m, config, layers := inmemory.Blobs{}, &v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}}, []v1.Descriptor{}
	for _, a := range archives {
		diffID, _ := image.Sum("sha256", a)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, diffID)
		layers = append(layers, m.Add(zipped(a), types.OCILayer))
	}
	img, err := image.New(m, &image.Config{ConfigFile: *config}, layers)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestMain runs the tests with a guard: their stores are in memory, and killed.
func TestMain(m *testing.M) { os.Exit(guard.Run(m.Run)) }

// sample is an image with some layers of ten files.
func sample(t testing.TB, layers int, seed uint64) *image.Image {
	t.Helper()
	var archives [][]byte
	for n := range layers {
		archives = append(archives, archiveOf(10, seed*100+uint64(n)))
	}
	return layered(t, archives...)
}

// scratch is a directory in memory, where there is one: on a disk without a
// journal, creating a file costs a millisecond for minutes after others were
// deleted, and these tests do little else.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := guard.Memory()
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(scratch(t), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func name(t testing.TB, s string) image.Name {
	t.Helper()
	n, err := image.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func add(t testing.TB, s *Store, img *image.Image, names ...string) *Image {
	t.Helper()
	var parsed []image.Name
	for _, n := range names {
		parsed = append(parsed, name(t, n))
	}
	added, err := s.Add(t.Context(), img, parsed, AddOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// listing are the paths of all that is in a store, but for its lock.
func listing(t testing.TB, s *Store) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(s.root, func(path string, d fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(s.root, path); rel != "lock" {
			paths = append(paths, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func sameList(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAddGetTagRemove(t *testing.T) {
	s, ctx := open(t), t.Context()
	empty := listing(t, s)
	img := sample(t, 3, 1)
	added, err := s.Add(ctx, img, []image.Name{name(t, "busybox")}, AddOptions{Source: name(t, "busybox")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Tag(ctx, added, name(t, "other:2")); err != nil {
		t.Fatal(err)
	}
	origin := img.Origins()[0].String()
	for _, ref := range []string{"busybox", "docker.io/library/busybox:latest", "other:2", img.ID().String(), img.ID().Hex[:12], "busybox@" + origin, added.Descriptor().Digest.String()} {
		got, err := s.Get(ctx, ref)
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		if got.ID() != img.ID() || len(got.Names) != 2 || len(got.Digests) != 1 {
			t.Errorf("%s: got %s with %v, %v", ref, got.ID(), got.Names, got.Digests)
		}
	}
	for _, ref := range []string{"busybox:2", "other@" + "sha256:" + strings.Repeat("0", 64), "", "../x"} {
		if _, err := s.Get(ctx, ref); !errors.Is(err, image.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", ref, err)
		}
	}
	if _, err := s.Remove(ctx, img.ID().String(), false); err == nil {
		t.Error("an image with two names was removed by its ID")
	}
	for _, ref := range []string{"busybox", "other:2"} {
		if _, err := s.Remove(ctx, ref, false); err != nil {
			t.Fatal(err)
		}
	}
	c, err := s.Collect(ctx)
	if err != nil || c.Blobs != 5 {
		t.Errorf("collected %+v, %v; want 5 blobs", c, err)
	}
	sameList(t, "after collecting", listing(t, s), insert(empty, "images/index.json"))
}

func insert(sorted []string, s string) []string {
	out := append(slices.Clone(sorted), s)
	slices.Sort(out)
	return out
}

func TestNameMoves(t *testing.T) {
	s, ctx := open(t), t.Context()
	first := add(t, s, sample(t, 1, 1), "a", "b")
	second := add(t, s, sample(t, 1, 2), "a")
	third := add(t, s, sample(t, 1, 3), "b")
	for ref, want := range map[string]*Image{"a": second, "b": third, first.ID().Hex: first} {
		if got, err := s.Get(ctx, ref); err != nil || got.ID() != want.ID() {
			t.Errorf("%s: got %v, %v", ref, got, err)
		}
	}
	images, err := s.Images(ctx)
	if err != nil || len(images) != 3 {
		t.Fatalf("got %d images, %v", len(images), err)
	}
	if got, _ := s.Get(ctx, first.ID().Hex); len(got.Names) != 0 {
		t.Errorf("names of the first: %v", got.Names)
	}
}

func TestLayers(t *testing.T) {
	s, ctx := open(t), t.Context()
	one, two := archiveOf(10, 1), archiveOf(10, 2)
	img := add(t, s, layered(t, one, two), "a")
	l, err := s.Layers(ctx, img, LayerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if len(l.Dirs) != 2 {
		t.Fatalf("got %v", l.Dirs)
	}
	for _, file := range []string{l.Dirs[0] + "/dir3/file2-3", l.Dirs[1] + "/dir3/file1-3"} {
		if st, err := os.Stat(file); err != nil || st.Size() != 3000 {
			t.Errorf("%s: %v", file, err)
		}
	}
	before := listing(t, s)
	again, err := s.Layers(ctx, img, LayerOptions{})
	if err != nil || !slices.Equal(again.Dirs, l.Dirs) {
		t.Fatalf("the second time: got %v, %v", again, err)
	}
	again.Close()
	sameList(t, "after unpacking again", listing(t, s), before)
}

// TestLayerIsWhatTheImageSays: a layer that is there already is not given to an
// image which only says that it has it.
func TestLayerIsWhatTheImageSays(t *testing.T) {
	s, ctx := open(t), t.Context()
	secret := archiveOf(10, 1)
	img := add(t, s, layered(t, secret), "a")
	l, err := s.Layers(ctx, img, LayerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	liar := layered(t, secret)
	m := inmemory.Blobs{}
	other := m.Add(zipped(archiveOf(10, 2)), types.OCILayer)
	liar, err = image.New(m, liar.OwnConfig(), []v1.Descriptor{other})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Layers(ctx, add(t, s, liar, "b"), LayerOptions{}); !image.IsRejected(err) {
		t.Errorf("got %v, want a rejection", err)
	}
	m = inmemory.Blobs{}
	recompressed := m.Add(secret, types.OCIUncompressedLayer)
	honest, err := image.New(m, liar.OwnConfig(), []v1.Descriptor{recompressed})
	if err != nil {
		t.Fatal(err)
	}
	l, err = s.Layers(ctx, add(t, s, honest, "c"), LayerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// TestRejectedImageLeavesNothing: what is wrong shows after the first blobs, or
// after the first layers.
func TestRejectedImageLeavesNothing(t *testing.T) {
	shared := archiveOf(10, 1)
	for _, test := range []struct {
		name  string
		spoil func(m inmemory.Blobs, c *v1.ConfigFile, layers []v1.Descriptor)
	}{
		{"a blob of another digest", func(m inmemory.Blobs, _ *v1.ConfigFile, layers []v1.Descriptor) {
			raw := slices.Clone(m[layers[2].Digest])
			raw[len(raw)/2] ^= 1
			m[layers[2].Digest] = raw
		}},
		{"a blob that is too long", func(m inmemory.Blobs, _ *v1.ConfigFile, layers []v1.Descriptor) {
			m[layers[2].Digest] = append(slices.Clone(m[layers[2].Digest]), make([]byte, 5<<20)...)
		}},
		{"a blob that is too short", func(m inmemory.Blobs, _ *v1.ConfigFile, layers []v1.Descriptor) {
			m[layers[2].Digest] = m[layers[2].Digest][:100]
		}},
		{"a size that is too small for a blob that is there", func(_ inmemory.Blobs, _ *v1.ConfigFile, layers []v1.Descriptor) {
			layers[0].Size--
		}},
		{"another diff_id", func(_ inmemory.Blobs, c *v1.ConfigFile, _ []v1.Descriptor) {
			c.RootFS.DiffIDs[2], _ = image.Sum("sha256", nil)
		}},
		{"a gzip without its end", func(m inmemory.Blobs, _ *v1.ConfigFile, layers []v1.Descriptor) {
			whole := m[layers[2].Digest]
			layers[2] = m.Add(whole[:len(whole)-8], types.OCILayer)
		}},
		{"no archive", func(m inmemory.Blobs, c *v1.ConfigFile, layers []v1.Descriptor) {
			junk := bytes.Repeat([]byte("junk"), 1000)
			c.RootFS.DiffIDs[2], _ = image.Sum("sha256", junk)
			layers[2] = m.Add(zipped(junk), types.OCILayer)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, ctx := open(t), t.Context()
			l, err := s.Layers(ctx, add(t, s, layered(t, shared), "good"), LayerOptions{})
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
			before := listing(t, s)
			m, config, layers := inmemory.Blobs{}, &v1.ConfigFile{OS: "linux", RootFS: v1.RootFS{Type: "layers"}}, []v1.Descriptor{}
			for _, a := range [][]byte{shared, archiveOf(10, 2), archiveOf(10, 3)} {
				diffID, _ := image.Sum("sha256", a)
				config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, diffID)
				layers = append(layers, m.Add(zipped(a), types.OCILayer))
			}
			test.spoil(m, config, layers)
			img, err := image.New(m, &image.Config{ConfigFile: *config}, layers)
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Add(ctx, img, []image.Name{name(t, "good")}, AddOptions{Unpack: &LayerOptions{}})
			if !image.IsRejected(err) {
				t.Errorf("got %v, want a rejection", err)
			}
			sameList(t, "after the rejection", listing(t, s), before)
			if _, err := s.Get(ctx, "good"); err != nil {
				t.Errorf("the image that was there: %v", err)
			}
		})
	}
}

func TestHold(t *testing.T) {
	s, ctx := open(t), t.Context()
	img := add(t, s, sample(t, 2, 1), "a")
	l, err := s.Layers(ctx, img, LayerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Hold(ctx, img, "box"); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := s.Remove(ctx, "a", false); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
	add(t, s, sample(t, 1, 2), "a") // takes the name away
	s.Remove(ctx, img.ID().Hex, true)
	before := listing(t, s)
	if c, err := s.Collect(ctx); err != nil || c != (Collected{}) {
		t.Errorf("collected what is held: %+v, %v", c, err)
	}
	sameList(t, "while held", listing(t, s), before)
	if err := s.Release("box"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(ctx, img.ID().Hex, false); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Collect(ctx); err != nil || c.Layers != 2 || c.Blobs != 4 {
		t.Errorf("collected %+v, %v; want 2 layers and 4 blobs", c, err)
	}
	for _, bad := range []string{"", ".", "../x", "a/b"} {
		if s.Hold(ctx, img, bad) == nil || s.Release(bad) == nil {
			t.Errorf("%q was taken for a name", bad)
		}
	}
}

// TestRunningOperationIsNotCollected: the layers that a process is using stay.
func TestRunningOperationIsNotCollected(t *testing.T) {
	s, ctx := open(t), t.Context()
	img := add(t, s, sample(t, 2, 1), "a")
	l, err := s.Layers(ctx, img, LayerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(ctx, "a", false); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Collect(ctx); err != nil || c != (Collected{}) {
		t.Errorf("collected what is in use: %+v, %v", c, err)
	}
	l.Close()
	if c, err := s.Collect(ctx); err != nil || c.Layers != 2 || c.Blobs != 4 {
		t.Errorf("collected %+v, %v; want 2 layers and 4 blobs", c, err)
	}
}

// TestDamagedBlob: what a disk has lost is fetched again.
func TestDamagedBlob(t *testing.T) {
	s, ctx := open(t), t.Context()
	img := add(t, s, sample(t, 2, 1), "a")
	path := s.blobPath(img.LayerDescriptors()[1].Digest)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Layers(ctx, img, LayerOptions{}); err == nil || image.IsRejected(err) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v, want what is the matter", err)
	}
	l, err := s.Layers(ctx, add(t, s, sample(t, 2, 1), "a"), LayerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// TestNoSpace: what did not fit leaves nothing.
func TestNoSpace(t *testing.T) {
	needs.Root(t, "a small tmpfs is mounted")
	dir := t.TempDir()
	if err := unix.Mount("davit-test", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	s, err := Open(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	add(t, s, sample(t, 1, 1), "a")
	before := listing(t, s)
	for _, o := range []AddOptions{{}, {Unpack: &LayerOptions{}}} {
		_, err = s.Add(t.Context(), layered(t, archiveOf(5, 1), noise(3<<20, 1)), []image.Name{name(t, "b")}, o)
		if !errors.Is(err, unix.ENOSPC) {
			t.Errorf("got %v, want ENOSPC", err)
		}
		sameList(t, "when there was no space", listing(t, s), before)
	}
	_, err = s.Add(t.Context(), layered(t, archiveWith("zeros", make([]byte, 3<<20))), []image.Name{name(t, "b")}, AddOptions{Unpack: &LayerOptions{}})
	if !errors.Is(err, unix.ENOSPC) {
		t.Errorf("got %v, want ENOSPC", err)
	}
	sameList(t, "when there was no space to unpack", listing(t, s), before)
}

// TestNameWithDigest: it is found by it, and has no tag.
func TestNameWithDigest(t *testing.T) {
	s, ctx := open(t), t.Context()
	img := sample(t, 1, 1)
	full := name(t, "a:1@"+img.Origins()[0].String())
	added, err := s.Add(ctx, img, []image.Name{full}, AddOptions{Source: full})
	if err != nil || len(added.Names) != 0 {
		t.Fatalf("got %v, %v", added, err)
	}
	if got, err := s.Get(ctx, full.String()); err != nil || got.ID() != img.ID() {
		t.Errorf("got %v, %v", got, err)
	}
	if s.Tag(ctx, added, full) == nil {
		t.Error("a name with a digest was given")
	}
}
