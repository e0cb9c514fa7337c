package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/davit-containers/davit/bundle/internal/tree"
)

// Writable is a directory that holds a writable layer.
type Writable string

// Upper is the layer itself: Spec.Upper.
func (w Writable) Upper() string { return filepath.Join(string(w), "upper") }

// Work is overlayfs' own directory: Spec.Work.
func (w Writable) Work() string { return filepath.Join(string(w), "work") }

// MakeWritable makes an empty writable layer in a directory, for the layers
// below it (nearest first): its root has what the nearest layer's root has, for
// that is what the container will see. A layer that is there is left as it is.
func MakeWritable(dir string, userxattr bool, lower []string) (Writable, error) {
	w := Writable(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return w, err
	}
	if err := os.Mkdir(w.Work(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return w, err
	}
	if _, err := os.Lstat(w.Upper()); err == nil {
		return w, nil
	}
	unfinished := w.Upper() + ".new"
	if err := Remove(unfinished); err != nil {
		return w, err
	}
	if err := makeRoot(unfinished, userxattr, lower); err != nil {
		return w, fmt.Errorf("making a writable layer in %s: %w", dir, err)
	}
	return w, os.Rename(unfinished, w.Upper())
}

// makeRoot makes a directory that is like the root of the nearest layer; without
// layers, one that all can enter.
func makeRoot(dir string, userxattr bool, lower []string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if len(lower) == 0 {
		return os.Chmod(dir, 0o755)
	}
	view, err := tree.OpenView(marks(userxattr), lower[0])
	if err != nil {
		return err
	}
	defer view.Close()
	self, err := view.Root().Self()
	if err != nil {
		return err
	}
	made, err := os.OpenFile(dir, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer made.Close()
	return setMetadata(int(made.Fd()), self)
}
