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
	"github.com/davit-containers/davit/bundle/internal/lock"
	"github.com/davit-containers/davit/bundle/progress"
)

// Write adds images to the layout in a directory, which is made if need be. What has
// one of their names there loses it; an image without names is there without one. Where
// it fails, what it made is gone again. Another process that writes there is waited for.
// report takes which blobs are being written.
func Write(ctx context.Context, dir string, items []Found, report progress.Func) error {
	w := &writer{dir: dir, report: report}
	locked, err := w.enter(ctx)
	if err == nil {
		defer locked.Close()
		err = w.add(ctx, items)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing an image layout: %w", err), w.undo())
	}
	return nil
}

type writer struct {
	dir    string
	report progress.Func
	made   []string // directories and files, in their order
}

// enter makes the directory and locks it.
func (w *writer) enter(ctx context.Context) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(w.dir)), 0o755); err != nil {
		return nil, err
	}
	for {
		if err := w.mkdir(""); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(w.dir, os.O_RDONLY|unix.O_DIRECTORY, 0)
		if err != nil {
			return nil, err
		}
		if err := wait(ctx, f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if lock.Same(f, w.dir) {
			return f, nil
		}
		f.Close() // who had it has removed it
		w.made = nil
	}
}

// wait locks a directory where its file system can: NFS locks none.
func wait(ctx context.Context, dir *os.File) error {
	err := lock.Wait(ctx, dir, unix.LOCK_EX)
	if errors.Is(err, unix.EBADF) || errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return err
}

func (w *writer) add(ctx context.Context, items []Found) error {
	if err := w.prepare(); err != nil {
		return err
	}
	var images []*image.Image
	var entries []v1.Descriptor
	for _, it := range items {
		images = append(images, it.Image)
		entries = append(entries, Entries(it.Image, it.Names)...)
	}
	blobs, err := BlobsOf(images)
	if err != nil {
		return err
	}
	for _, b := range blobs {
		if err := w.blob(ctx, b); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return w.index(entries)
}

// undo removes what was made. Directories in which somebody else has put something
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

// index adds images to index.json.
func (w *writer) index(entries []v1.Descriptor) error {
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
		return slices.ContainsFunc(entries, func(d v1.Descriptor) bool { return replaces(d, have) })
	})
	index.Manifests = append(index.Manifests, entries...)
	raw, err = json.Marshal(index)
	if err != nil {
		return err
	}
	return whole(path, func(f *os.File) error {
		_, err := f.Write(raw)
		return err
	})
}

// replaces tells whether an entry takes the place of another: its name, or, where it
// has none, itself.
func replaces(d, have v1.Descriptor) bool {
	name := d.Annotations[RefName]
	return have.Annotations[RefName] == name && (name != "" || have.Digest == d.Digest)
}
