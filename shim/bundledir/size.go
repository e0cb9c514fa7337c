package bundledir

import (
	"errors"
	"io/fs"

	"github.com/davit-containers/davit/bundle/rootfs"
	"github.com/davit-containers/davit/shim/internal/diskusage"
)

// Written is how many bytes were written in a bundle whose root file system is a
// mount. Of a plain directory it is all that is there: the image's files were
// copied into it.
func (b *Bundle) Written() (bytes int64, err error) {
	dir := b.Rootfs()
	if b.Form == Overlay {
		dir = rootfs.Writable(b.path("writable")).Upper()
	}
	bytes, err = diskusage.Of(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return bytes, err
}
