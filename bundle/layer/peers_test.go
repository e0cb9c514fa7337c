package layer

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	. "github.com/davit-containers/davit/conformance/treetest"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/davit-containers/davit/conformance/needs"
)

// umociErrs are the cases of layerCases in which umoci 0.4.7 unpacks something
// else, and why that is not what a layer means.
var umociErrs = map[string]string{
	"every type of entry": "it loses extended attributes without a value",
	"a whiteout and a new directory of that name, without an entry":                         "it keeps the metadata of what the whiteout removed, since the whiteout comes later",
	"an opaque directory, marked at the end, with whiteouts and a directory that was there": "the same of an opaque mark that comes later",
	"a hard link to what comes later":                                                       "it fails, where tar and the specification's order of layers have no reason to",
	"a hard link to itself":                                                                 "it removes the file, and fails",
	"overlayfs's attributes and labels are never set":                                       "it sets user.overlay.*, which the plain form has no use for either",
	"overlayfs's own whiteout in an archive is one":                                         "it makes the device, which overlayfs would take for a whiteout",
	"what AUFS kept for itself":                                                             "it unpacks it, other than Docker",
}

// TestEqualsUmoci unpacks with umoci what the table of layers has.
func TestEqualsUmoci(t *testing.T) {
	needRoot(t)
	needs.Program(t, "umoci")
	start := time.Now().Add(-time.Minute)
	for _, c := range layerCases {
		t.Run(c.name, func(t *testing.T) {
			var tars [][]byte
			for _, l := range c.layers {
				tars = append(tars, Tar(t, l...))
			}
			ours, err := plainForm(t, Options{}, tars...)
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := umoci(t, tars)
			differs := err != nil
			if err == nil {
				tree := Read(t, theirs)
				differences := Compare(Read(t, ours), tree, func(path, field string) bool {
					// Where an archive has no time for a directory, umoci has none either.
					return field == FieldTime && tree[path].Time.After(start)
				})
				differs = len(differences) > 0
				for _, d := range differences {
					t.Log(d)
				}
			} else {
				t.Log(err)
			}
			if reason := umociErrs[c.name]; differs != (reason != "") {
				t.Errorf("differs: %v, reason why it may: %q", differs, reason)
			}
		})
	}
}

// umoci unpacks layers as an image.
func umoci(t *testing.T, tars [][]byte) (string, error) {
	t.Helper()
	dir := t.TempDir()
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH, RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		t.Fatal(err)
	}
	image = mutate.ConfigMediaType(mutate.MediaType(image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, l := range tars {
		added, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(l)), nil }, tarball.WithMediaType(types.OCILayer))
		if err != nil {
			t.Fatal(err)
		}
		if image, err = mutate.AppendLayers(image, added); err != nil {
			t.Fatal(err)
		}
	}
	at, err := layout.Write(filepath.Join(dir, "image"), empty.Index)
	if err == nil {
		err = at.AppendImage(image, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "latest"}))
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("umoci", "unpack", "--image", filepath.Join(dir, "image"), filepath.Join(dir, "bundle")).CombinedOutput()
	if err != nil {
		t.Logf("%s", out)
	}
	return filepath.Join(dir, "bundle", "rootfs"), err
}

// TestEqualsTar unpacks with tar what a single layer has.
func TestEqualsTar(t *testing.T) {
	needRoot(t)
	needs.Program(t, "tar")
	for _, c := range layerCases[:1] {
		t.Run(c.name, func(t *testing.T) {
			archive := Tar(t, c.layers[0]...)
			ours, err := plainForm(t, Options{}, archive)
			if err != nil {
				t.Fatal(err)
			}
			theirs := t.TempDir()
			tar := exec.Command("tar", "-x", "-p", "--same-owner", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", theirs)
			tar.Stdin, tar.Stderr = bytes.NewReader(archive), os.Stderr
			if err := tar.Run(); err != nil {
				t.Fatal(err)
			}
			Equal(t, ours, theirs)
		})
	}
}
