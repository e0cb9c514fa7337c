// Package diskusage measures directories.
//
// It follows no link, and never leaves the directory, so it is fit for those
// that a container writes to.
package diskusage

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Of is how many bytes of disk the files below a directory have, those with
// several names once. One that is written to meanwhile has about that size.
// fs.ErrNotExist: there is no such directory.
func Of(dir string) (bytes int64, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	seen := map[inode]bool{}
	err = fs.WalkDir(root.FS(), ".", func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return nil // it is gone
		}
		st, ok := fi.Sys().(*syscall.Stat_t)
		if id := (inode{st.Dev, st.Ino}); ok && !seen[id] {
			bytes += st.Blocks * 512
			if st.Nlink > 1 && !d.IsDir() {
				seen[id] = true
			}
		}
		return nil
	})
	return bytes, err
}

type inode struct{ device, number uint64 }
