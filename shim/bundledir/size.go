package bundledir

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/davit-containers/davit/bundle/rootfs"
)

// Written is how many bytes were written in a bundle whose root file system is a
// mount. Of a plain directory it is all that is there: the image's files were
// copied into it.
func (b *Bundle) Written() (bytes int64, err error) {
	dir := b.Rootfs()
	if b.Form == Overlay {
		dir = rootfs.Writable(b.path("writable")).Upper()
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer root.Close()
	seen := map[uint64]bool{}
	err = fs.WalkDir(root.FS(), ".", func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil || !fi.Mode().IsRegular() {
			return nil // it is gone, or has no content
		}
		if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
			if seen[st.Ino] {
				return nil
			}
			seen[st.Ino] = true
		}
		bytes += fi.Size()
		return nil
	})
	return bytes, err
}
