package layout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/progress"
)

// Write adds an image to the layout in a directory, which is made if need be.
// ref is its name there: the image that has it loses it. "" is no name. Where it
// fails, what it made is gone again. report takes which blobs are being written.
func Write(ctx context.Context, dir string, img *image.Image, ref string, report progress.Func) error {
	w := &writer{dir: dir, report: report}
	if err := w.add(ctx, img, ref); err != nil {
		return errors.Join(fmt.Errorf("writing an image layout: %w", err), w.undo())
	}
	return nil
}

type writer struct {
	dir    string
	report progress.Func
	made   []string // directories and files, in their order
}

func (w *writer) add(ctx context.Context, img *image.Image, ref string) error {
	if err := w.prepare(); err != nil {
		return err
	}
	blobs, err := BlobsOf([]*image.Image{img})
	if err != nil {
		return err
	}
	for _, b := range blobs {
		if err := w.blob(ctx, b); err != nil {
			return err
		}
	}
	return w.index(img.Descriptor(), ref)
}

// undo removes what was made. Directories that somebody else has filled meanwhile
// stay.
func (w *writer) undo() (err error) {
	for _, path := range slices.Backward(w.made) {
		if removing := os.Remove(path); !errors.Is(removing, unix.ENOTEMPTY) {
			err = errors.Join(err, removing)
		}
	}
	return err
}

func (w *writer) prepare() error {
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(w.dir)), 0o755); err != nil {
		return err
	}
	if err := w.mkdir(""); err != nil {
		return err
	}
	if err := w.mkdir("blobs"); err != nil {
		return err
	}
	marker := filepath.Join(w.dir, MarkerFile)
	if _, err := os.Stat(marker); err == nil {
		return nil
	}
	return w.whole(marker, func(f *os.File) error {
		_, err := f.WriteString(Marker)
		return err
	})
}

// mkdir makes a directory of the layout, unless it is there.
func (w *writer) mkdir(name string) error {
	path := filepath.Join(w.dir, name)
	err := os.Mkdir(path, 0o755)
	if err == nil {
		w.made = append(w.made, path)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// blob writes a blob unless it is there.
func (w *writer) blob(ctx context.Context, b Blob) error {
	name := filepath.FromSlash(BlobPath(b.Descriptor.Digest))
	path := filepath.Join(w.dir, name)
	event := progress.Event{Layer: b.Descriptor.Digest.String(), Total: b.Descriptor.Size}
	if st, err := os.Lstat(path); err == nil && st.Mode().IsRegular() && st.Size() == b.Descriptor.Size {
		event.Phase, event.Done = progress.Exists, event.Total
		w.report.Report(event)
		return nil
	}
	if err := w.mkdir(filepath.Dir(name)); err != nil {
		return err
	}
	event.Phase = progress.Writing
	err := w.whole(path, func(f *os.File) error {
		return b.Copy(ctx, io.MultiWriter(f, &progress.Counter{Func: w.report, Event: event}))
	})
	if err == nil {
		event.Phase, event.Done = progress.Written, event.Total
		w.report.Report(event)
	}
	return err
}

// whole writes a file that was not there.
func (w *writer) whole(path string, write func(*os.File) error) error {
	err := whole(path, write)
	if err == nil {
		w.made = append(w.made, path)
	}
	return err
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
		return err
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
