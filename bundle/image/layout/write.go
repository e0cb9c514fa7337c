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

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/davit-containers/davit/bundle/image"
)

// Write adds an image to the layout in a directory, which is made if need be.
// ref is its name there: the image that has it loses it. "" is no name.
func Write(ctx context.Context, dir string, img *image.Image, ref string) error {
	w := &writer{dir}
	if err := w.prepare(); err != nil {
		return fmt.Errorf("writing an image layout: %w", err)
	}
	blobs, err := BlobsOf([]*image.Image{img})
	if err != nil {
		return err
	}
	for _, b := range blobs {
		if err := w.blob(ctx, b); err != nil {
			return fmt.Errorf("writing an image layout: %w", err)
		}
	}
	return w.index(img.Descriptor(), ref)
}

type writer struct{ dir string }

func (w *writer) prepare() error {
	if err := os.MkdirAll(filepath.Join(w.dir, "blobs"), 0o755); err != nil {
		return err
	}
	marker := filepath.Join(w.dir, MarkerFile)
	if _, err := os.Stat(marker); err == nil {
		return nil
	}
	return os.WriteFile(marker, []byte(Marker), 0o644)
}

// blob writes a blob unless it is there.
func (w *writer) blob(ctx context.Context, b Blob) error {
	path := filepath.Join(w.dir, filepath.FromSlash(BlobPath(b.Descriptor.Digest)))
	if st, err := os.Lstat(path); err == nil && st.Mode().IsRegular() && st.Size() == b.Descriptor.Size {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return whole(path, func(f *os.File) error { return b.Copy(ctx, f) })
}

// whole writes a file that has its name only when it is whole.
func whole(path string, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".part-")
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// index adds an image to index.json.
func (w *writer) index(d v1.Descriptor, ref string) error {
	path := filepath.Join(w.dir, IndexFile)
	index := &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	raw, err := os.ReadFile(path)
	if err == nil {
		index, err = ParseIndex(raw)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("writing an image layout: %w", err)
	}
	index.Manifests = slices.DeleteFunc(index.Manifests, func(have v1.Descriptor) bool {
		return have.Annotations[RefName] == ref && (ref != "" || have.Digest == d.Digest)
	})
	if ref != "" {
		d.Annotations = map[string]string{RefName: ref}
	}
	index.Manifests = append(index.Manifests, d)
	raw, err = json.Marshal(index)
	if err != nil {
		return err
	}
	return whole(path, func(f *os.File) error {
		_, err := f.Write(raw)
		return err
	})
}
