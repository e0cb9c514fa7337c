package store

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/image/archive"
	"github.com/davit-containers/davit/bundle/image/layout"
	"github.com/davit-containers/davit/bundle/image/source"
	"github.com/davit-containers/davit/bundle/internal/inmemory"
	"github.com/davit-containers/davit/conformance/needs"
)

// run runs another program, and skips the test where there is none.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	needs.Program(t, name)
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// with is an image of the same layers in another compression.
func with(t testing.TB, img *image.Image, c Compression) *image.Image {
	t.Helper()
	m, layers := inmemory.Blobs{}, []v1.Descriptor{}
	for i := range img.LayerDescriptors() {
		r, err := img.LayerByDiffID(img.DiffIDs()[i])
		if err != nil {
			t.Fatal(err)
		}
		plain, err := r.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		w, mediaType, err := compressor(&out, c)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(w, plain)
		w.Close()
		layers = append(layers, m.Add(out.Bytes(), mediaType))
	}
	config, _ := img.RawConfigFile()
	out, err := image.FromConfig(m, config, layers)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestOtherToolsReadTheStore: skopeo copies an image out of the store, by its
// whole name, and umoci unpacks it.
func TestOtherToolsReadTheStore(t *testing.T) {
	s := open(t)
	add(t, s, dockers(t, sample(t, 3, 1)), "busybox:1", "registry.example:5000/a/b")
	dir := t.TempDir()
	for _, ref := range []string{"docker.io/library/busybox:1", "registry.example:5000/a/b:latest"} {
		run(t, "skopeo", "--insecure-policy", "copy", "-q", "oci:"+s.LayoutPath()+":"+ref, "oci:"+dir+"/copy:x")
	}
	before := listing(t, s)
	bundle := filepath.Join(dir, "bundle")
	run(t, "umoci", "unpack", "--rootless", "--image", s.LayoutPath()+":docker.io/library/busybox:1", bundle)
	if _, err := os.Stat(bundle + "/rootfs/dir3/file102-3"); err != nil {
		t.Error(err)
	}
	sameList(t, "after other tools", listing(t, s), before)
}

// dockers is an image in Docker's format.
func dockers(t testing.TB, img *image.Image) *image.Image {
	t.Helper()
	m, _ := img.Manifest()
	m.MediaType, m.Config.MediaType = types.DockerManifestSchema2, types.DockerConfigJSON
	for i := range m.Layers {
		m.Layers[i].MediaType = types.DockerLayer
	}
	raw, _ := json.Marshal(m)
	d, _ := image.Describe(raw, m.MediaType)
	out, err := image.ResolveDocument(t.Context(), img, d, raw, image.Host())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSaveAndLoad: what is saved is loaded with its names and its manifest, from
// every kind of archive and through a pipe.
func TestSaveAndLoad(t *testing.T) {
	for _, kind := range []archive.Kind{archive.Kind(image.OCIArchive), archive.Kind(image.DockerArchive)} {
		for _, c := range []Compression{Gzip, Zstd, Plain} {
			for _, whole := range []Compression{Plain, Gzip, Zstd} {
				t.Run(fmt.Sprintf("%s of %s in %s", kind, c, whole), func(t *testing.T) {
					saveAndLoad(t, kind, c, whole)
				})
			}
		}
	}
}

func saveAndLoad(t *testing.T, kind archive.Kind, c, whole Compression) {
	ctx, from, to := t.Context(), open(t), open(t)
	one := add(t, from, with(t, sample(t, 3, 1), c), "one:1", "one:2")
	two := add(t, from, with(t, sample(t, 2, 1), c), "two")
	items := []layout.Found{{Image: one.Image, Names: one.Names}, {Image: two.Image, Names: two.Names}}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer w.Close()
		z, _, _ := compressor(w, whole)
		if err := archive.Write(ctx, z, items, archive.WriteOptions{Kind: kind}); err != nil {
			t.Error(err)
		}
		z.Close()
	}()
	images, err := source.Load(ctx, r, source.Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer images.Close()
	for _, f := range images.Found {
		if _, err := to.Add(ctx, f.Image, f.Names, AddOptions{Unpack: &LayerOptions{}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []*Image{one, two} {
		for _, n := range want.Names {
			got, err := to.Get(ctx, n.String())
			if err != nil {
				t.Fatal(err)
			}
			if got.ID() != want.ID() || !slices.Equal(got.Names, want.Names) {
				t.Errorf("%s: got %s %v", n, got.ID(), got.Names)
			}
			if (c != Zstd || kind != archive.Kind(image.DockerArchive)) && got.Descriptor().Digest != want.Descriptor().Digest {
				t.Errorf("%s: the manifest changed", n)
			}
		}
	}
}

// TestSkopeoReadsArchives, in its own two ways.
func TestSkopeoReadsArchives(t *testing.T) {
	s, ctx := open(t), t.Context()
	img := add(t, s, sample(t, 3, 1), "one:1")
	zstd := add(t, s, with(t, sample(t, 2, 2), Zstd), "two:1")
	for _, kind := range []image.Transport{image.OCIArchive, image.DockerArchive} {
		for _, one := range []*Image{img, zstd} {
			path := filepath.Join(t.TempDir(), "a.tar")
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			err = archive.Write(ctx, f, []layout.Found{{Image: one.Image, Names: one.Names}}, archive.WriteOptions{Kind: archive.Kind(kind)})
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
			out := t.TempDir()
			run(t, "skopeo", "--insecure-policy", "copy", "-q", string(kind)+":"+path+":"+one.Names[0].String(), "dir:"+out)
		}
	}
}

// TestReadsWhatSkopeoWrites: every kind of place that skopeo writes to.
func TestReadsWhatSkopeoWrites(t *testing.T) {
	s, ctx := open(t), t.Context()
	img := add(t, s, sample(t, 3, 1), "one:1")
	from := "oci:" + s.LayoutPath() + ":docker.io/library/one:1"
	for _, to := range []string{"oci:%s/layout:x", "oci-archive:%s/oci.tar:x", "docker-archive:%s/docker.tar:one:1"} {
		place := fmt.Sprintf(to, t.TempDir())
		run(t, "skopeo", "--insecure-policy", "copy", "-q", from, place)
		at, err := image.ParseLocation(place)
		if err != nil {
			t.Fatal(err)
		}
		images, err := source.Open(ctx, at, source.Options{TempDir: t.TempDir()})
		if err != nil {
			t.Fatalf("%s: %v", place, err)
		}
		defer images.Close()
		other := open(t)
		got, err := other.Add(ctx, images.Found[0].Image, nil, AddOptions{Unpack: &LayerOptions{}})
		if err != nil {
			t.Fatalf("%s: %v", place, err)
		}
		if !slices.Equal(got.DiffIDs(), img.DiffIDs()) {
			t.Errorf("%s: got %v", place, got.DiffIDs())
		}
	}
}

// TestChunked: zstd:chunked, as skopeo and podman push it, is a layer like others:
// a frame for each file, and at the end what tells where they are.
func TestChunked(t *testing.T) {
	s, ctx := open(t), t.Context()
	img := add(t, s, sample(t, 2, 3), "one:1")
	place := "oci:" + t.TempDir() + ":x"
	run(t, "skopeo", "--insecure-policy", "copy", "-q", "--dest-compress", "--dest-compress-format", "zstd:chunked",
		"oci:"+s.LayoutPath()+":docker.io/library/one:1", place)
	at, err := image.ParseLocation(place)
	if err != nil {
		t.Fatal(err)
	}
	images, err := source.Open(ctx, at, source.Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer images.Close()
	for _, d := range images.Found[0].Image.LayerDescriptors() {
		r, err := images.Found[0].Image.OpenBlob(ctx, d, 0)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		r.Close()
		const footer = "GnUlInUx" // zstd:chunked's magic number
		if err != nil || !bytes.HasSuffix(raw, []byte(footer)) {
			t.Fatalf("this skopeo makes a layer of another kind, %s: %v", d.MediaType, err)
		}
	}
	other := open(t)
	got, err := other.Add(ctx, images.Found[0].Image, nil, AddOptions{Unpack: &LayerOptions{}})
	if err != nil || !slices.Equal(got.DiffIDs(), img.DiffIDs()) {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestWriteLayout: skopeo reads a layout that is written into a directory.
func TestWriteLayout(t *testing.T) {
	ctx, dir := t.Context(), filepath.Join(t.TempDir(), "layout")
	for seed, ref := range []string{"a", "b", "a"} {
		found := layout.Found{Image: sample(t, 2, uint64(seed)), Names: []image.Name{name(t, ref)}}
		if err := layout.Write(ctx, dir, []layout.Found{found}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, ref := range []string{"a", "b"} {
		run(t, "skopeo", "--insecure-policy", "copy", "-q", "oci:"+dir+":"+name(t, ref).String(), "dir:"+t.TempDir())
	}
	l, err := layout.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got, err := l.Image(ctx, "a", image.Host()); err != nil || got.ID() != sample(t, 2, 2).ID() || len(l.Entries()) != 2 {
		t.Errorf("got %v, %v of %d", got, err, len(l.Entries()))
	}
}

// TestLegacyDockerArchive: as Docker before 25 saves, with the layer of one image
// as a symbolic link to another's.
func TestLegacyDockerArchive(t *testing.T) {
	one, two := archiveOf(10, 1), archiveOf(10, 2)
	img := layered(t, one, two, one)
	config, _ := img.RawConfigFile()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	file := func(name string, raw []byte) {
		w.WriteHeader(&tar.Header{Name: name, Size: int64(len(raw)), Mode: 0o644})
		w.Write(raw)
	}
	for _, id := range []string{"aa", "bb", "cc"} {
		w.WriteHeader(&tar.Header{Name: id + "/", Typeflag: tar.TypeDir, Mode: 0o755})
		file(id+"/VERSION", []byte("1.0"))
		file(id+"/json", []byte("{}"))
	}
	file("aa/layer.tar", one)
	file("bb/layer.tar", two)
	w.WriteHeader(&tar.Header{Name: "cc/layer.tar", Typeflag: tar.TypeSymlink, Linkname: "../aa/layer.tar"})
	file(img.ID().Hex+".json", config)
	file("manifest.json", []byte(`[{"Config":"`+img.ID().Hex+`.json","RepoTags":["one:1"],"Layers":["aa/layer.tar","bb/layer.tar","cc/layer.tar"]}]`))
	file("repositories", []byte(`{"one":{"1":"cc"}}`))
	w.Close()
	path := filepath.Join(t.TempDir(), "a.tar")
	os.WriteFile(path, out.Bytes(), 0o600)
	s := open(t)
	f, _ := os.Open(path)
	images, err := source.Load(t.Context(), f, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer images.Close()
	got, err := s.Add(t.Context(), images.Found[0].Image, images.Found[0].Names, AddOptions{Unpack: &LayerOptions{}})
	if err != nil || got.ID() != img.ID() {
		t.Fatalf("got %v, %v", got, err)
	}
	if _, err := s.Get(context.Background(), "one:1"); err != nil {
		t.Error(err)
	}
}
