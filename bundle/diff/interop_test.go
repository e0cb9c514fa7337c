package diff

import (
	"bytes"
	"math/rand"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/davit-containers/davit/bundle/rootfs"
	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/conformance/treetest"
)

// imageLayer is a layer's blob with what its Writer said of it.
type imageLayer struct {
	v1.Layer
	blob Blob
}

func (l imageLayer) DiffID() (v1.Hash, error) { return l.blob.DiffID, nil }
func (l imageLayer) Digest() (v1.Hash, error) { return l.blob.Digest, nil }

// image writes an OCI layout with an image of these layers, named "img".
func image(t *testing.T, c Compression, layers ...[]byte) string {
	t.Helper()
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	for _, data := range layers {
		packed, blob := compressed(t, data, c, 2)
		var err error
		if img, err = mutate.AppendLayers(img, imageLayer{static.NewLayer(packed, blob.MediaType), blob}); err != nil {
			t.Fatal(err)
		}
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.OS, config.Architecture = "linux", "amd64"
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "image")
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendImage(img, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "img"})); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run runs another program.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	needs.Program(t, name)
	cmd := exec.Command(name, args...)
	var out, errors bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errors
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, errors.String())
	}
	return strings.TrimSpace(out.String())
}

// changedImage is the layers of an image and of what a container did with it,
// and what the container saw in the end.
func changedImage(t *testing.T) (base, data []byte, want treetest.Tree) {
	t.Helper()
	made := t.TempDir()
	treetest.Make(t, made, baseItems()...)
	base = layerOf(t, Source{}, Directory(made), Options{})
	lower := unpack(t, base)
	w, err := rootfs.MakeWritable(t.TempDir(), false, []string{lower})
	if err != nil {
		t.Fatal(err)
	}
	mounted(t, rootfs.Spec{Lower: []string{lower}, Upper: w.Upper(), Work: w.Work()}, func(dir string) {
		work(rand.New(rand.NewSource(99)), dir)
		want = treetest.Read(t, dir)
	})
	return base, layerOf(t, Layers(false, lower), Layers(false, w.Upper(), lower), Options{}), want
}

func TestUmociUnpacksOurLayers(t *testing.T) {
	needs.Root(t, "it mounts overlays")
	base, data, want := changedImage(t)
	bundle := filepath.Join(t.TempDir(), "bundle")
	run(t, "umoci", "unpack", "--image", image(t, Gzip, base, data)+":img", bundle)
	treetest.EqualTrees(t, treetest.Read(t, filepath.Join(bundle, "rootfs")), want)
}

func TestPodmanUnpacksOurLayers(t *testing.T) {
	needs.Root(t, "it mounts overlays")
	base, data, want := changedImage(t)
	for _, c := range []Compression{Gzip, Zstd} {
		store := t.TempDir()
		at := []string{"--root", store + "/root", "--runroot", store + "/run", "--storage-driver", "overlay", "--events-backend", "file", "--tmpdir", store + "/tmp", "--cgroup-manager", "cgroupfs"}
		run(t, "skopeo", "copy", "--insecure-policy", "oci:"+image(t, c, base, data)+":img", "dir:"+store+"/copied")
		run(t, "podman", append(at, "pull", "dir:"+store+"/copied")...)
		id := run(t, "podman", append(at, "images", "--quiet", "--no-trunc")...)
		mounted := run(t, "podman", append(at, "image", "mount", id)...)
		t.Cleanup(func() { run(t, "podman", append(at, "image", "unmount", id)...) })
		treetest.EqualTrees(t, treetest.Read(t, mounted), want, treetest.IgnorePath("."), func(path, field string) bool {
			return field == treetest.FieldTime && want[path].Time.Unix() < 0 // podman knows no times before 1970
		})
		if t.Failed() {
			t.Fatalf("with %s", c)
		}
	}
}
