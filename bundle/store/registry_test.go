package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/image/registry"
	"github.com/davit-containers/davit/bundle/progress"

	"github.com/davit-containers/davit/conformance/needs"
)

// distribution is Debian's docker-registry on loopback.
type distribution struct {
	t      testing.TB
	host   string
	config string
	cmd    *exec.Cmd
}

func newDistribution(t testing.TB) *distribution {
	t.Helper()
	needs.Program(t, "docker-registry")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := &distribution{t: t, host: l.Addr().String(), config: filepath.Join(t.TempDir(), "config.yml")}
	config := fmt.Sprintf("version: 0.1\nlog: {accesslog: {disabled: true}, level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %q}\n", t.TempDir(), d.host)
	if err := os.WriteFile(d.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

// start runs the registry until it is stopped, and waits until it answers.
func (d *distribution) start() {
	d.t.Helper()
	d.cmd = exec.Command("docker-registry", "serve", d.config)
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if c, err := net.Dial("tcp", d.host); err == nil {
			c.Close()
			return
		}
	}
	d.t.Fatal("docker-registry does not answer")
}

func (d *distribution) stop() {
	d.cmd.Process.Kill()
	d.cmd.Wait()
}

// noise is a layer of random bytes, which do not compress.
func noise(size int, seed uint64) []byte {
	var key [32]byte
	key[0] = byte(seed)
	content := make([]byte, size)
	rand.NewChaCha8(key).Read(content)
	return archiveWith("noise", content)
}

func TestRegistryServesAndReceives(t *testing.T) {
	d := newDistribution(t)
	d.start()
	defer d.stop()
	ctx, s := t.Context(), open(t)
	client := registry.New(registry.Options{Keychain: authn.NewMultiKeychain()})
	for _, c := range []Compression{Gzip, Zstd} {
		ref := name(t, d.host+"/some/image:"+string(c))
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
		again := name(t, d.host+"/other/image:"+string(c))
		if err := client.Push(ctx, got.Image, again); err != nil {
			t.Fatal(err)
		}
		run(t, "skopeo", "inspect", "--tls-verify=false", "--raw", "docker://"+again.String())
	}
}

// TestRegistryKilledHalfway: a pull goes on when its registry is there again, and
// what has come is not fetched twice.
func TestRegistryKilledHalfway(t *testing.T) {
	d := newDistribution(t)
	d.start()
	defer func() { d.stop() }()
	const size = 8 << 20
	ctx, s := t.Context(), open(t)
	m := memory{}
	layers, config := []v1.Descriptor{}, &v1.ConfigFile{OS: "linux", RootFS: v1.RootFS{Type: "layers"}}
	for seed := range uint64(2) {
		raw := noise(size, seed)
		l := m.add(raw, types.OCIUncompressedLayer)
		layers, config.RootFS.DiffIDs = append(layers, l), append(config.RootFS.DiffIDs, l.Digest)
	}
	sent, err := image.New(m, &image.Config{ConfigFile: *config}, layers)
	if err != nil {
		t.Fatal(err)
	}
	ref := name(t, d.host+"/some/image:1")
	if err := registry.New(registry.Options{Keychain: authn.NewMultiKeychain()}).Push(ctx, sent, ref); err != nil {
		t.Fatal(err)
	}
	var retried, restarted atomic.Bool
	o := registry.Options{Keychain: authn.NewMultiKeychain(), Progress: func(progress.Event) { retried.Store(true) }}
	img, err := registry.New(o).Image(ctx, ref, image.Host())
	if err != nil {
		t.Fatal(err)
	}
	restart := func(e progress.Event) {
		if e.Phase == progress.Downloading && e.Done > size/2 && restarted.CompareAndSwap(false, true) {
			d.stop()
			time.AfterFunc(time.Second, d.start)
		}
	}
	if _, err := s.Add(ctx, img, []image.Name{ref}, AddOptions{Parallel: 1, Progress: restart}); err != nil {
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
