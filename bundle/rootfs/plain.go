package rootfs

import (
	"context"
	"errors"
	"fmt"
	"path"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/internal/tree"
)

// PlainSpec is a plain directory made of layers.
type PlainSpec struct {
	Lower     []string // nearest first
	Target    string   // an empty directory
	Userxattr bool     // the layers' marks are in user.overlay.: see Spec
}

// Plain copies what the layers show together into a directory, which is then
// equal to their overlay mount, entry by entry: owners, modes, times, extended
// attributes, hard links within a layer, holes. Content is shared with the
// layers where the file system can (reflinks). A target that is not empty is
// refused with ErrNotEmpty. After an error the target is unfinished: see Remove.
func Plain(ctx context.Context, s PlainSpec) error {
	if err := checkEmpty(s.Target); err != nil {
		return fmt.Errorf("merging layers into %s: %w", s.Target, err)
	}
	view, err := tree.OpenView(marks(s.Userxattr), s.Lower...)
	if err != nil {
		return fmt.Errorf("merging layers into %s: %w", s.Target, err)
	}
	defer view.Close()
	root := view.Root()
	if root == nil {
		return fmt.Errorf("merging layers into %s: there are no layers", s.Target)
	}
	target, err := tree.Open(s.Target)
	if err != nil {
		return fmt.Errorf("merging layers: %w", err)
	}
	defer target.Close()
	m := merger{ctx: ctx, links: map[inode]place{}, data: newCopier()}
	if err := m.directory(root, target); err != nil {
		return fmt.Errorf("merging layers into %s: %w", s.Target, err)
	}
	return nil
}

// merger copies a view.
type merger struct {
	ctx   context.Context
	links map[inode]place
	data  *copier
}

// inode is a file of a layer that has several names, and place is where the
// first of them was copied to.
type (
	inode struct {
		layer    int
		dev, ino uint64
	}
	place struct {
		in   *tree.Dir
		name string
	}
)

// directory fills a directory, and then gives it what the original has.
func (m *merger) directory(from *tree.Node, to *tree.Dir) error {
	entries, err := from.Entries()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := m.entry(from, e, to); err != nil {
			return err
		}
	}
	self, err := from.Self()
	if err != nil {
		return err
	}
	fd, err := to.FD()
	if err != nil {
		return err
	}
	return setMetadata(fd, self)
}

// entry copies one entry, and what is below it.
func (m *merger) entry(from *tree.Node, e *tree.Entry, to *tree.Dir) error {
	if err := m.ctx.Err(); err != nil {
		return err
	}
	if e.IsDir() {
		return m.subdirectory(from, e, to)
	}
	linked, err := m.link(e, to)
	if linked || err != nil {
		return err
	}
	if e.Type() == unix.S_IFREG {
		return m.data.file(e, to)
	}
	return special(e, to)
}

// subdirectory copies a directory.
func (m *merger) subdirectory(from *tree.Node, e *tree.Entry, to *tree.Dir) error {
	source, err := from.Sub(e)
	if err != nil {
		return err
	}
	defer source.Close()
	made, err := makeDirectory(to, e)
	if err != nil {
		return err
	}
	defer made.Close()
	return m.directory(source, made)
}

// link makes a hard link where another name of the same file was copied before,
// and otherwise takes notice of this name.
func (m *merger) link(e *tree.Entry, to *tree.Dir) (linked bool, err error) {
	if e.Stat.Nlink < 2 {
		return false, nil
	}
	node := inode{e.Layer, e.Stat.Dev, e.Stat.Ino}
	first, known := m.links[node]
	if !known {
		m.links[node] = place{to, e.Name}
		return false, nil
	}
	err = first.in.With(func(old int) error {
		fd, err := to.FD()
		if err != nil {
			return err
		}
		return unix.Linkat(old, first.name, fd, e.Name, 0)
	})
	if err != nil {
		return true, fmt.Errorf("linking %s to %s: %w", e.Path, first.name, err)
	}
	return true, nil
}

// privateMode is the mode of what is not yet finished.
const privateMode = 0o700

// makeDirectory makes a directory and opens it. What it opens is what it made:
// nobody else's directory is filled.
func makeDirectory(in *tree.Dir, e *tree.Entry) (*tree.Dir, error) {
	fd, err := in.FD()
	if err != nil {
		return nil, err
	}
	if err := unix.Mkdirat(fd, e.Name, privateMode); err != nil {
		return nil, fmt.Errorf("making directory %s: %w", e.Path, err)
	}
	made, err := in.Sub(e.Name)
	if err != nil {
		return nil, err
	}
	st, err := made.Stat(".")
	if err == nil && (int(st.Uid) != unix.Geteuid() || st.Mode&^uint32(unix.S_ISGID) != unix.S_IFDIR|privateMode) {
		err = errors.New("somebody else put another one there")
	}
	if err != nil {
		made.Close()
		return nil, fmt.Errorf("making directory %s: %w", path.Clean(e.Path), err)
	}
	return made, nil
}
