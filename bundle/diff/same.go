package diff

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/internal/tree"
)

// same says whether two entries are equal in all that a layer holds, but for
// what is below a directory.
func same(a, b *tree.Entry) (bool, error) {
	x, y := &a.Stat, &b.Stat
	if x.Mode != y.Mode || x.Uid != y.Uid || x.Gid != y.Gid || x.Mtim != y.Mtim {
		return false, nil
	}
	if equal, err := sameContent(a, b); !equal || err != nil {
		return false, err
	}
	ours, err := a.Xattrs()
	if err != nil {
		return false, err
	}
	theirs, err := b.Xattrs()
	return maps.Equal(ours, theirs), err
}

// sameContent is same of what a type has besides owner, mode and time. Both
// have the same type.
func sameContent(a, b *tree.Entry) (bool, error) {
	switch a.Type() {
	case unix.S_IFREG:
		return sameBytes(a, b)
	case unix.S_IFCHR, unix.S_IFBLK:
		return a.Stat.Rdev == b.Stat.Rdev, nil
	case unix.S_IFLNK:
		ours, err := a.In.ReadLink(a.Name)
		if err != nil {
			return false, err
		}
		theirs, err := b.In.ReadLink(b.Name)
		return ours == theirs, err
	}
	return true, nil
}

// sameBytes compares two regular files. What both have as holes is not read.
func sameBytes(a, b *tree.Entry) (bool, error) {
	if a.Stat.Size != b.Stat.Size {
		return false, nil
	}
	if a.Stat.Dev == b.Stat.Dev && a.Stat.Ino == b.Stat.Ino || a.Stat.Size == 0 {
		return true, nil
	}
	ours, _, err := a.In.OpenFile(a.Name)
	if err != nil {
		return false, err
	}
	defer ours.Close()
	theirs, _, err := b.In.OpenFile(b.Name)
	if err != nil {
		return false, err
	}
	defer theirs.Close()
	return sameData(ours, theirs, a.Stat.Size)
}

// block is how much of a file is read at once.
const block = 256 << 10

// sameData compares the data of two files of the same size.
func sameData(a, b *os.File, size int64) (bool, error) {
	length := min(size, block)
	ours, theirs := make([]byte, length), make([]byte, length)
	for at := int64(0); at < size; at += length {
		x, err := nextData(a, at, size)
		if err != nil {
			return false, err
		}
		y, err := nextData(b, at, size)
		if err != nil {
			return false, err
		}
		if at = min(x, y); at == size {
			return true, nil
		}
		n, err := readFull(a, ours, at)
		if err != nil {
			return false, err
		}
		m, err := readFull(b, theirs, at)
		if err != nil || !bytes.Equal(ours[:n], theirs[:m]) {
			return false, err
		}
	}
	return true, nil
}

// readFull reads until the buffer is full or the file ends.
func readFull(f *os.File, buf []byte, at int64) (int, error) {
	n, err := f.ReadAt(buf, at)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// nextData is where the next data of a file begins that is no hole; its size
// where there is none.
func nextData(f *os.File, at, size int64) (int64, error) {
	start, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return size, nil
	case err != nil:
		return 0, fmt.Errorf("looking for holes in %s: %w", f.Name(), err)
	}
	return min(start, size), nil
}
