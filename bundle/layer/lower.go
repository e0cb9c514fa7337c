package layer

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// lowerDir is a directory of the layers below, as it shows: parts of it are in
// several layers, the nearest first.
type lowerDir struct {
	parts []*lowerPart
	// plain says that they are no overlayfs layers: there are no whiteouts.
	plain bool
}

// lowerPart is what one layer has of a directory.
type lowerPart struct {
	slot
	base int // the layer
	path string
}

// lowerFile is a file of the layers below.
type lowerFile struct {
	part *lowerPart
	name string
	stat unix.Stat_t
}

func (f *lowerFile) format() uint32 {
	if f == nil {
		return 0
	}
	return f.stat.Mode & unix.S_IFMT
}

// openPart opens what one layer has of a directory.
func (u *unpacker) openPart(p *lowerPart) (int, error) {
	return u.dirs.get(&p.slot, func() (int, error) {
		path := p.path
		if path == "" {
			path = "."
		}
		fd, err := openBeneath(p.base, []byte(path))
		if err != nil {
			return -1, fmt.Errorf("opening directory %s of a layer below: %w", p.path, err)
		}
		return fd, nil
	})
}

// stat looks at a name in one layer: nil if it is not there.
func (u *unpacker) stat(p *lowerPart, name string) (*lowerFile, error) {
	fd, err := u.openPart(p)
	if err != nil {
		return nil, err
	}
	f := &lowerFile{part: p, name: name}
	err = unix.Fstatat(fd, name, &f.stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENAMETOOLONG) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for %s in a layer below: %w", name, err)
	}
	return f, nil
}

// lookup looks for a name in a directory of the layers below. It is nil where
// there is none.
func (u *unpacker) lookup(d *lowerDir, name string) (*lowerFile, error) {
	if d == nil {
		return nil, nil
	}
	for _, p := range d.parts {
		f, err := u.stat(p, name)
		if err != nil {
			return nil, err
		}
		if f == nil {
			continue
		}
		gone, err := u.isWhiteout(d, f)
		if gone || err != nil {
			return nil, err
		}
		return f, nil
	}
	return nil, nil
}

// sub is a directory in a directory of the layers below: nil where there is none.
func (u *unpacker) sub(d *lowerDir, name string) (*lowerDir, error) {
	if d == nil {
		return nil, nil
	}
	found := &lowerDir{plain: d.plain}
	for _, p := range d.parts {
		f, err := u.stat(p, name)
		if err != nil {
			return nil, err
		}
		if f == nil {
			continue
		}
		if f.format() != unix.S_IFDIR {
			break
		}
		part := &lowerPart{base: p.base, path: joinPath(p.path, name)}
		found.parts = append(found.parts, part)
		last, err := u.isOpaque(d, part)
		if err != nil {
			return nil, err
		}
		if last {
			break
		}
	}
	if len(found.parts) == 0 {
		return nil, nil
	}
	return found, nil
}

func joinPath(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// isWhiteout says whether a file is overlayfs's mark for one that is gone.
// Source: Linux, Documentation/filesystems/overlayfs.rst.
func (u *unpacker) isWhiteout(d *lowerDir, f *lowerFile) (bool, error) {
	switch {
	case d.plain:
		return false, nil
	case f.format() == unix.S_IFCHR:
		return f.stat.Rdev == 0, nil
	case f.format() != unix.S_IFREG || f.stat.Size > 0:
		return false, nil
	}
	value, err := u.partAttribute(f.part, "opaque")
	if value != "x" || err != nil {
		return false, err
	}
	fd, err := u.openFile(f)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	_, err = unix.Getxattr(procPath(fd), u.o.attribute("whiteout"), nil)
	return err == nil, nil
}

func (u *unpacker) isOpaque(d *lowerDir, p *lowerPart) (bool, error) {
	if d.plain {
		return false, nil
	}
	value, err := u.partAttribute(p, "opaque")
	return value == "y", err
}

// partAttribute is one of overlayfs's attributes, of a directory.
func (u *unpacker) partAttribute(p *lowerPart, name string) (string, error) {
	fd, err := u.openPart(p)
	if err != nil {
		return "", err
	}
	var value [2]byte
	n, err := unix.Fgetxattr(fd, u.o.attribute(name), value[:])
	if err != nil {
		return "", nil // There is none, or what is there is none of overlayfs's.
	}
	return string(value[:n]), nil
}

// openFile opens a file of the layers below as an O_PATH descriptor.
func (u *unpacker) openFile(f *lowerFile) (int, error) {
	dir, err := u.openPart(f.part)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Openat(dir, f.name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("opening %s of a layer below: %w", joinPath(f.part.path, f.name), err)
	}
	return fd, nil
}

// readLink reads a symbolic link of the layers below.
func (u *unpacker) readLink(f *lowerFile) (string, error) {
	dir, err := u.openPart(f.part)
	if err != nil {
		return "", err
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, f.name, buf)
	if err != nil {
		return "", fmt.Errorf("reading link %s of a layer below: %w", joinPath(f.part.path, f.name), err)
	}
	return string(buf[:n]), nil
}

// below is the directory that the layers below have where n is: nil if there is
// none, or if this layer replaced it.
func (u *unpacker) below(n *node) (*lowerDir, error) {
	if n.dir.belowKnown {
		return n.dir.below, nil
	}
	var found *lowerDir
	if !n.hides {
		view, err := u.view(n.parent)
		if err != nil {
			return nil, err
		}
		if found, err = u.sub(view, n.name); err != nil {
			return nil, err
		}
	}
	n.dir.below, n.dir.belowKnown = found, true
	return found, nil
}

// view is where what n does not have itself is looked for.
func (u *unpacker) view(n *node) (*lowerDir, error) {
	if n.dir.opaque {
		return nil, nil
	}
	return u.below(n)
}
