package layer

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// linkAcross makes the hard links to what this layer did not have when it came
// to them: files of the layers below, or what came later.
func (u *unpacker) linkAcross(f form) error {
	for _, n := range u.links {
		if n.parent == nil || n.kind != pending {
			continue
		}
		if err := u.linkPending(n, f, 0); err != nil {
			return &EntryError{n.path(), err}
		}
	}
	return nil
}

func (u *unpacker) linkPending(n *node, f form, links int) error {
	target := n.link.target
	if links > maxLinks {
		return errLoop
	}
	dir, base := splitPath(target)
	parent, err := u.walk(u.root, dir, new(int))
	if err != nil {
		return err
	}
	own := parent.child(base)
	if own == n {
		own = nil
	}
	if own != nil && own.kind == pending {
		if err := u.linkPending(own, f, links+1); err != nil {
			return err
		}
	}
	view, err := u.view(parent)
	if err != nil {
		return err
	}
	below, err := u.lookup(view, base)
	if err != nil {
		return err
	}
	ownFile := own != nil && own.kind != nothing
	switch {
	case ownFile && (own.seq < n.seq || below == nil):
		return u.link(own, n)
	case below == nil:
		return fmt.Errorf("linking to %s: %w", target, fs.ErrNotExist)
	case below.format() == unix.S_IFDIR:
		return fmt.Errorf("%w: a hard link to a directory", ErrInvalid)
	}
	return u.linkBelowTo(n, across{parent, own, below}, f)
}

// across is a file of the layers below that a hard link of this layer leads to.
type across struct {
	parent *node // the directory that it is in
	own    *node // what this layer has in its place, if anything
	file   *lowerFile
}

// linkBelowTo makes n a hard link to a file of the layers below.
func (u *unpacker) linkBelowTo(n *node, to across, f form) error {
	target := ""
	if to.file.format() == unix.S_IFLNK {
		var err error
		if target, err = u.readLink(to.file); err != nil {
			return err
		}
	}
	n.kind, n.link = other, nil
	if target != "" {
		n.kind, n.link = symlink, &linkPart{target: target}
	}
	return f.linkBelow(n, to)
}

// takeAlong makes the other names of a file of the layers below names of its
// copy, so that a change of one shows in all.
func (u *unpacker) takeAlong(n *node, below *lowerFile) error {
	others, err := u.namesOf(below)
	if err != nil {
		return err
	}
	for _, path := range others {
		dir, base := splitPath(path)
		parent, err := u.shown(dir, below.part.base)
		if err != nil {
			return err
		}
		if parent == nil || parent.child(base) != nil {
			continue
		}
		view, err := u.view(parent)
		if err != nil {
			return err
		}
		found, err := u.lookup(view, base)
		if err != nil {
			return err
		}
		if found == nil || found.part.base != below.part.base {
			continue
		}
		other := u.add(parent, base)
		other.seq = n.seq
		if err := u.link(n, other); err != nil {
			return err
		}
	}
	return nil
}

// shown is the directory at a path if it is one that a layer below has a part
// in: nil where that part is hidden.
func (u *unpacker) shown(path string, base int) (*node, error) {
	at := u.root
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path, "/")
		next := at.child(name)
		if next != nil && next.kind != directory {
			return nil, nil
		}
		if next == nil {
			view, err := u.view(at)
			if err != nil {
				return nil, err
			}
			if below, err := u.sub(view, name); below == nil || err != nil {
				return nil, err
			}
			next = u.add(at, name)
			u.imply(next)
		}
		at = next
	}
	below, err := u.view(at)
	if err != nil || below == nil {
		return nil, err
	}
	for _, p := range below.parts {
		if p.base == base {
			return at, nil
		}
	}
	return nil, nil
}

// namesOf are all paths of a file in its layer, where it has several.
func (u *unpacker) namesOf(f *lowerFile) ([]string, error) {
	linked, ok := u.linked[f.part.base]
	if !ok {
		var err error
		if linked, err = u.linkedIn(f.part.base); err != nil {
			return nil, err
		}
		if u.linked == nil {
			u.linked = map[int]inodes{}
		}
		u.linked[f.part.base] = linked
	}
	return linked[inode{f.stat.Dev, f.stat.Ino}], nil
}

// inode is a file, whatever its names, and inodes are the paths of files.
type (
	inode  struct{ device, number uint64 }
	inodes map[inode][]string
)

// linkedIn are the files of a layer that have several names. All of the layer is
// walked, once, however many links lead there.
func (u *unpacker) linkedIn(base int) (inodes, error) {
	linked := inodes{}
	left := []*lowerPart{{base: base}}
	for len(left) > 0 {
		p := left[len(left)-1]
		left = left[:len(left)-1]
		below, err := u.linkedBelow(p, linked)
		if err == nil {
			err = u.ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		left = append(left, below...)
		u.dirs.drop(&p.slot)
	}
	return linked, nil
}

// linkedBelow adds what is in one directory, and gives the directories in it.
func (u *unpacker) linkedBelow(p *lowerPart, linked inodes) (below []*lowerPart, err error) {
	fd, err := u.openPart(p)
	if err != nil {
		return nil, err
	}
	names, err := namesIn(fd)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		found, err := u.stat(p, name)
		switch {
		case err != nil:
			return nil, err
		case found.format() == unix.S_IFDIR:
			below = append(below, &lowerPart{base: p.base, path: joinPath(p.path, name)})
		case found != nil && found.stat.Nlink > 1:
			id := inode{found.stat.Dev, found.stat.Ino}
			linked[id] = append(linked[id], joinPath(p.path, name))
		}
	}
	return below, nil
}

// copyFile makes a copy of a file of the layers below, with all its metadata.
func (u *unpacker) copyFile(n *node, from *lowerFile) error {
	dir, err := u.open(n.parent)
	if err != nil {
		return err
	}
	source, err := u.openFile(from)
	if err != nil {
		return err
	}
	defer unix.Close(source)
	m, err := metaOfStat(source, &from.stat)
	if err != nil {
		return err
	}
	if from.format() == unix.S_IFREG {
		return u.copyRegular(dir, n, source, m, from.stat.Size)
	}
	if from.format() == unix.S_IFLNK {
		target, err := u.readLink(from)
		if err != nil {
			return err
		}
		err = unix.Symlinkat(target, dir, n.name)
		if err != nil {
			return fmt.Errorf("creating symbolic link: %w", err)
		}
	} else if err := unix.Mknodat(dir, n.name, from.format()|m.mode, int(from.stat.Rdev)); err != nil {
		return fmt.Errorf("creating device or FIFO: %w", err)
	}
	return u.dressByPath(dir, n, m, from.format())
}

func (u *unpacker) copyRegular(dir int, n *node, source int, m *meta, size int64) error {
	in, err := os.Open(procPath(source))
	if err != nil {
		return fmt.Errorf("opening file of a layer below: %w", err)
	}
	defer in.Close()
	mode := m.mode & 0o777
	if len(m.xattrs) > 0 {
		mode |= 0o600
	}
	fd, err := unix.Openat(dir, n.name, createFlags, mode)
	if err != nil {
		return fmt.Errorf("creating file: %w", err)
	}
	defer unix.Close(fd)
	if err := copyContent(fd, int(in.Fd()), size); err != nil {
		return err
	}
	return u.dress(fd, n, m, mode)
}

// copyContent copies a file, whose holes stay holes. The kernel shares the data
// where the file system can.
func copyContent(to, from int, size int64) error {
	if unix.IoctlFileClone(to, from) == nil {
		return nil
	}
	if err := unix.Ftruncate(to, size); err != nil {
		return fmt.Errorf("copying file: %w", err)
	}
	for end := int64(0); end < size; {
		start, err := unix.Seek(from, end, unix.SEEK_DATA)
		if err == unix.ENXIO {
			return nil
		}
		if err == nil {
			end, err = unix.Seek(from, start, unix.SEEK_HOLE)
		}
		if err == nil {
			err = copyRange(to, from, start, end)
		}
		if err != nil {
			return fmt.Errorf("copying file: %w", err)
		}
	}
	return nil
}

func copyRange(to, from int, start, end int64) error {
	buf := make([]byte, min(end-start, 128<<10))
	for start < end {
		n, err := unix.Pread(from, buf[:min(int64(len(buf)), end-start)], start)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		if err := writeAt(to, buf[:n], start); err != nil {
			return err
		}
		start += int64(n)
	}
	return nil
}
