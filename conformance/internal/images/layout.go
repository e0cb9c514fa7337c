package images

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// layoutDir is the directory of an OCI image layout.
// Spec: github.com/opencontainers/image-spec: image-layout.md
type layoutDir string

// refName is the annotation with an image's name.
const refName = "org.opencontainers.image.ref.name"

// pair is one layer in both compressions.
type pair struct {
	diffID v1.Hash
	blobs  map[string]v1.Descriptor
}

// layer writes a layer, compressed in both ways at once.
func (d layoutDir) layer(write func(*layer) error) (pair, error) {
	diff := sha256.New()
	zipped, err := d.newBlob(types.OCILayer)
	if err != nil {
		return pair{}, err
	}
	zstandard, err := d.newBlob(types.OCILayerZStd)
	if err != nil {
		return pair{}, err
	}
	z := gzip.NewWriter(zipped)
	s, err := zstd.NewWriter(zstandard)
	if err != nil {
		return pair{}, err
	}
	l := newLayer(io.MultiWriter(diff, z, s))
	if err := errors.Join(write(l), l.close(), z.Close(), s.Close()); err != nil {
		return pair{}, err
	}
	p := pair{diffID: digest(diff), blobs: map[string]v1.Descriptor{}}
	if p.blobs["gzip"], err = zipped.place(); err != nil {
		return p, err
	}
	p.blobs["zstd"], err = zstandard.place()
	return p, err
}

// blob is a blob that is being written.
type blob struct {
	dir  layoutDir
	kind types.MediaType
	file *os.File
	sum  hash.Hash
	size int64
}

func (d layoutDir) newBlob(kind types.MediaType) (*blob, error) {
	if err := os.MkdirAll(filepath.Join(string(d), "blobs/sha256"), 0o755); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(string(d), ".blob-")
	return &blob{dir: d, kind: kind, file: f, sum: sha256.New()}, err
}

// Write takes bytes of the blob.
func (b *blob) Write(p []byte) (int, error) {
	b.sum.Write(p)
	b.size += int64(len(p))
	return b.file.Write(p)
}

// place gives a blob its name.
func (b *blob) place() (v1.Descriptor, error) {
	d := v1.Descriptor{MediaType: b.kind, Size: b.size, Digest: digest(b.sum)}
	err := errors.Join(b.file.Chmod(0o644), b.file.Close())
	if err != nil {
		return d, err
	}
	return d, os.Rename(b.file.Name(), filepath.Join(string(b.dir), "blobs/sha256", d.Digest.Hex))
}

func digest(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}

// document writes a value as a blob.
func (d layoutDir) document(kind types.MediaType, v any) (v1.Descriptor, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return v1.Descriptor{}, err
	}
	b, err := d.newBlob(kind)
	if err != nil {
		return v1.Descriptor{}, err
	}
	if _, err := io.Copy(b, bytes.NewReader(data)); err != nil {
		return v1.Descriptor{}, err
	}
	return b.place()
}

// image writes an image of layers under a name.
func (d layoutDir) image(name, how string, recipe []step, layers []pair) error {
	config := v1.ConfigFile{
		OS: "linux", Architecture: runtime.GOARCH, Created: v1.Time{Time: made},
		Config: v1.Config{Cmd: []string{"/bin/sh"}, Env: []string{"PATH=/usr/sbin:/usr/bin"}},
		RootFS: v1.RootFS{Type: "layers"},
	}
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	for i, l := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.diffID)
		config.History = append(config.History, v1.History{Created: v1.Time{Time: made}, CreatedBy: recipe[i].origin()})
		manifest.Layers = append(manifest.Layers, l.blobs[how])
	}
	var err error
	if manifest.Config, err = d.document(types.OCIConfigJSON, config); err != nil {
		return err
	}
	m, err := d.document(manifest.MediaType, manifest)
	if err != nil {
		return err
	}
	m.Annotations = map[string]string{refName: name}
	return d.name(m, name)
}

// index reads the list of images.
func (d layoutDir) index() v1.IndexManifest {
	x := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	data, err := os.ReadFile(filepath.Join(string(d), "index.json"))
	if err == nil {
		err = json.Unmarshal(data, &x)
	}
	if err != nil {
		return v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	}
	return x
}

// has tells whether there is an image of that name.
func (d layoutDir) has(name string) bool {
	return slices.ContainsFunc(d.index().Manifests, func(m v1.Descriptor) bool { return m.Annotations[refName] == name })
}

// name puts an image into the list, in the place of one of that name.
func (d layoutDir) name(m v1.Descriptor, name string) error {
	x := d.index()
	x.Manifests = append(slices.DeleteFunc(x.Manifests, func(old v1.Descriptor) bool { return old.Annotations[refName] == name }), m)
	data, err := json.Marshal(x)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(string(d), "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(string(d), "index.json"), data, 0o644); err != nil {
		return fmt.Errorf("writing the index: %w", err)
	}
	return nil
}
