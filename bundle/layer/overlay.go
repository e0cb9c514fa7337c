package layer

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// overlay is the form that overlayfs takes.
// Source: Linux, Documentation/filesystems/overlayfs.rst.
type overlay struct{ u *unpacker }

// linkBelow copies the file up: n is the copy, and so are its other names, where
// this layer does not replace them.
func (o *overlay) linkBelow(n *node, to across) error {
	if err := o.u.copyFile(n, to.file); err != nil {
		return err
	}
	if to.own == nil {
		own := to.parent.add(to.file.name)
		own.seq = n.seq
		if err := o.u.link(n, own); err != nil {
			return err
		}
	}
	if to.file.stat.Nlink > 1 {
		return o.u.takeAlong(n, to.file)
	}
	return nil
}

func (o *overlay) write() error { return o.directory(o.u.root) }

// directory writes what is hidden in and by a directory.
func (o *overlay) directory(n *node) error {
	if n.dir.marked {
		for _, c := range n.dir.children {
			var err error
			switch c.kind {
			case nothing:
				err = o.whiteout(n, c.name)
			case directory:
				err = o.directory(c)
			}
			if err != nil {
				return &EntryError{c.path(), err}
			}
		}
	}
	hiding, err := o.hides(n)
	if err != nil || !hiding {
		return err
	}
	return o.setAttribute(n, "opaque", "y")
}

// hides says whether a directory must hide one of the layers below.
func (o *overlay) hides(n *node) (bool, error) {
	if n.dir.opaque {
		below, err := o.u.below(n)
		return below != nil, err
	}
	if !n.hides {
		return false, nil
	}
	view, err := o.u.view(n.parent)
	if err != nil {
		return false, err
	}
	hidden, err := o.u.sub(view, n.name)
	return hidden != nil, err
}

func (o *overlay) setAttribute(n *node, name, value string) error {
	fd, err := o.u.open(n)
	if err != nil {
		return err
	}
	if err := unix.Fsetxattr(fd, o.u.o.attribute(name), []byte(value), 0); err != nil {
		return fmt.Errorf("setting extended attribute %q: %w", o.u.o.attribute(name), err)
	}
	return nil
}

// whiteout hides a name of the layers below.
func (o *overlay) whiteout(dir *node, name string) error {
	fd, err := o.u.open(dir)
	if err != nil {
		return err
	}
	err = unix.Mknodat(fd, name, unix.S_IFCHR, 0)
	if err == unix.EPERM {
		return o.whiteoutFile(dir, fd, name)
	}
	if err != nil {
		return fmt.Errorf("creating whiteout: %w", err)
	}
	return nil
}

// whiteoutFile is a whiteout where no device can be made, not even that of
// whiteouts, as in a container whose filter forbids it.
// Linux 6.7: the attribute overlay.whiteout.
func (o *overlay) whiteoutFile(dir *node, at int, name string) error {
	fd, err := unix.Openat(at, name, createFlags, 0o600)
	if err != nil {
		return fmt.Errorf("creating whiteout: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Fsetxattr(fd, o.u.o.attribute("whiteout"), []byte("y"), 0); err != nil {
		return fmt.Errorf("creating whiteout: %w", err)
	}
	return o.setAttribute(dir, "opaque", "x")
}
