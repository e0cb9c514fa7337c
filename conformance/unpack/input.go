package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// input is an image to unpack: in a layout, and in an archive.
type input struct {
	layout, image, archive string
	layers                 []v1.Descriptor
	bytes                  int64 // of the layers, compressed
}

// prepare finds an image in a layout and makes an archive with it alone.
func prepare(ctx context.Context, dir, layout, image string) (input, error) {
	in := input{layout: layout, image: image, archive: filepath.Join(dir, image+".tar")}
	var index v1.IndexManifest
	if err := read(filepath.Join(layout, "index.json"), &index); err != nil {
		return in, err
	}
	for _, d := range index.Manifests {
		if d.Annotations["org.opencontainers.image.ref.name"] != image {
			continue
		}
		var m v1.Manifest
		if err := read(filepath.Join(layout, "blobs/sha256", d.Digest.Hex), &m); err != nil {
			return in, err
		}
		in.layers = m.Layers
		for _, l := range m.Layers {
			in.bytes += l.Size
		}
		return in, in.pack(ctx, d, m)
	}
	return in, fmt.Errorf("it is not in %s", layout)
}

func read(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// pack writes the archive: an OCI image layout in a tar.
func (in input) pack(ctx context.Context, d v1.Descriptor, m v1.Manifest) error {
	if exists(in.archive) {
		return nil
	}
	index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, Manifests: []v1.Descriptor{d}})
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "unpack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "index.json"), index, 0o644),
		os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644),
	)
	if err != nil {
		return err
	}
	args := []string{"-cf", in.archive, "-C", dir, "oci-layout", "index.json", "-C", in.layout}
	for _, blob := range append([]v1.Descriptor{{Digest: d.Digest}, m.Config}, m.Layers...) {
		args = append(args, "blobs/sha256/"+blob.Digest.Hex)
	}
	return exec.CommandContext(ctx, "tar", args...).Run()
}

// warm reads all that a tool will read.
func (in input) warm() error {
	paths := []string{in.archive}
	for _, l := range in.layers {
		paths = append(paths, filepath.Join(in.layout, "blobs/sha256", l.Digest.Hex))
	}
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}
