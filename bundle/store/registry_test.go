package store

import (
	"bytes"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/image/registry"
	"github.com/davit-containers/davit/bundle/internal/inmemory"
	"github.com/davit-containers/davit/bundle/progress"
	debian "github.com/davit-containers/davit/conformance/registry"
)

// noise is a layer of random bytes, which do not compress.
func noise(size int, seed uint64) []byte {
	var key [32]byte
	key[0] = byte(seed)
	content := make([]byte, size)
	rand.NewChaCha8(key).Read(content)
	return archiveWith("noise", content)
}

func TestRegistryServesAndReceives(t *testing.T) {
	d := debian.New(t, t.TempDir())
	ctx, s := t.Context(), open(t)
	client := registry.New(registry.Options{Keychain: authn.NewMultiKeychain()})
	for _, c := range []Compression{Gzip, Zstd} {
		ref := name(t, d.Host+"/some/image:"+string(c))
		sent := with(t, sample(t, 3, 1), c)
		if err := client.Push(ctx, sent, ref); err != nil {
			t.Fatal(err)
		}
		img, err := client.Image(ctx, ref, image.Host())
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Add(ctx, img, []image.Name{ref}, AddOptions{Source: ref, Unpack: &LayerOptions{}})
		if err != nil {
			t.Fatal(err)
		}
		if got.Descriptor().Digest != sent.Descriptor().Digest {
			t.Errorf("got %s, sent %s", got.Descriptor().Digest, sent.Descriptor().Digest)
		}
		again := name(t, d.Host+"/other/image:"+string(c))
		if err := client.Push(ctx, got.Image, again); err != nil {
			t.Fatal(err)
		}
		run(t, "skopeo", "inspect", "--tls-verify=false", "--raw", "docker://"+again.String())
	}
}

// TestRegistryKilledHalfway: a pull goes on when its registry is there again, and
// what has come is not fetched twice.
func TestRegistryKilledHalfway(t *testing.T) {
	d := debian.New(t, t.TempDir())
	const size = 8 << 20
	ctx, s := t.Context(), open(t)
	m := inmemory.Blobs{}
	layers, config := []v1.Descriptor{}, &v1.ConfigFile{OS: "linux", RootFS: v1.RootFS{Type: "layers"}}
	for seed := range uint64(2) {
		raw := noise(size, seed)
		l := m.Add(raw, types.OCIUncompressedLayer)
		layers, config.RootFS.DiffIDs = append(layers, l), append(config.RootFS.DiffIDs, l.Digest)
	}
	sent, err := image.New(m, &image.Config{ConfigFile: *config}, layers)
	if err != nil {
		t.Fatal(err)
	}
	ref := name(t, d.Host+"/some/image:1")
	if err := registry.New(registry.Options{Keychain: authn.NewMultiKeychain()}).Push(ctx, sent, ref); err != nil {
		t.Fatal(err)
	}
	var killed, retried atomic.Bool
	o := registry.Options{Keychain: authn.NewMultiKeychain(), Progress: func(progress.Event) {
		if retried.CompareAndSwap(false, true) {
			d.Start()
		}
	}}
	img, err := registry.New(o).Image(ctx, ref, image.Host())
	if err != nil {
		t.Fatal(err)
	}
	kill := func(e progress.Event) {
		if e.Phase == progress.Downloading && e.Done > size/2 && killed.CompareAndSwap(false, true) {
			d.Kill()
		}
	}
	if _, err := s.Add(ctx, img, []image.Name{ref}, AddOptions{Parallel: 1, Progress: kill}); err != nil {
		t.Fatal(err)
	}
	if !retried.Load() {
		t.Error("the download never broke off")
	}
	if !bytes.Equal(must(os.ReadFile(s.blobPath(layers[0].Digest))), m[layers[0].Digest]) {
		t.Error("the blob is another one")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
