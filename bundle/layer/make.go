package layer

import (
	"fmt"
	"io"

	"github.com/davit-containers/davit/bundle/layer/tarstream"
	"golang.org/x/sys/unix"
)

// make makes a file of any kind but a directory or a hard link.
func (u *unpacker) make(n *node) error {
	m, err := u.o.metaOf(u.entry)
	if err != nil {
		return err
	}
	dir, err := u.open(n.parent)
	if err != nil {
		return err
	}
	switch u.entry.Type {
	case tarstream.File, '7':
		n.kind = other
		return u.regular(dir, n, &m)
	case tarstream.Symlink:
		n.kind, n.link = symlink, &linkPart{target: u.entry.Link}
		return u.symlink(dir, n, &m)
	case tarstream.CharDev, tarstream.BlockDev, tarstream.Fifo:
		n.kind = other
		return u.special(dir, n, &m)
	}
	return fmt.Errorf("%w: entries of type %q are not supported", ErrInvalid, u.entry.Type)
}

// makeDirectory makes a directory of a node, with those above it.
func (u *unpacker) makeDirectory(n *node) (int, error) {
	dir, err := u.open(n.parent)
	if err != nil {
		return -1, err
	}
	mode := uint32(0o700)
	if n.dir.meta != nil {
		mode |= n.dir.meta.mode & 0o777
	}
	if err := unix.Mkdirat(dir, n.name, mode); err != nil {
		return -1, fmt.Errorf("creating directory %s: %w", n.name, err)
	}
	n.dir.made, n.dir.mode = true, mode
	if u.masked {
		n.dir.mode = 0
	}
	fd, err := unix.Openat(dir, n.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("opening directory %s: %w", n.name, err)
	}
	u.dirs.put(&n.dir.slot, fd)
	return fd, nil
}

const createFlags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC

// regular makes a regular file.
func (u *unpacker) regular(dir int, n *node, m *meta) error {
	mode := m.mode & 0o777
	if len(m.xattrs) > 0 {
		mode |= 0o600 // Attributes of users need the right to write.
	}
	fd, err := unix.Openat(dir, n.name, createFlags, mode)
	if err != nil {
		return fmt.Errorf("creating file: %w", err)
	}
	defer unix.Close(fd)
	if err := u.write(fd); err != nil {
		return err
	}
	return u.dress(fd, n, m, mode)
}

// dress gives an open file its metadata, in the order in which one does not undo
// the other: a new owner takes capabilities and set-id bits away.
func (u *unpacker) dress(fd int, n *node, m *meta, mode uint32) error {
	changed, err := u.chown(fd, m.owner)
	if err != nil {
		return err
	}
	if len(m.xattrs) > 0 {
		if err := u.setXattrs(n, m.xattrs, setXattrOf(fd)); err != nil {
			return err
		}
	}
	if u.masked || mode != m.mode || changed && m.mode&0o6000 != 0 {
		if err := unix.Fchmod(fd, m.mode); err != nil {
			return fmt.Errorf("changing mode: %w", err)
		}
	}
	return setTimes(fd, m.atime, m.mtime)
}

// write writes a file's content. Holes stay holes.
func (u *unpacker) write(fd int) error {
	size := u.entry.Size
	if u.bytes += size; u.o.Limits.Bytes > 0 && (u.bytes > u.o.Limits.Bytes || u.bytes < 0) {
		return fmt.Errorf("%w: its files are longer than %d bytes", ErrInvalid, u.o.Limits.Bytes)
	}
	if u.entry.Sparse && size > 0 {
		if err := unix.Ftruncate(fd, size); err != nil {
			return fmt.Errorf("making sparse file of %d bytes: %w", size, err)
		}
	}
	for {
		data, offset, err := u.tar.Content(blockSize)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading its content: %w", err)
		}
		if err := writeAt(fd, data, offset); err != nil {
			return err
		}
		if err := u.ctx.Err(); err != nil {
			return err
		}
		u.progress(blockSize)
	}
}

func writeAt(fd int, data []byte, offset int64) error {
	for len(data) > 0 {
		n, err := unix.Pwrite(fd, data, offset)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("writing: %w", err)
		}
		data, offset = data[n:], offset+int64(n)
	}
	return nil
}

// symlink makes a symbolic link.
func (u *unpacker) symlink(dir int, n *node, m *meta) error {
	if err := unix.Symlinkat(n.link.target, dir, n.name); err != nil {
		return fmt.Errorf("creating symbolic link: %w", err)
	}
	return u.dressByPath(dir, n, m, unix.S_IFLNK)
}

// special makes a device or FIFO. Where the kernel does not let a user namespace
// make a device, an empty file without any permission holds its place.
func (u *unpacker) special(dir int, n *node, m *meta) error {
	format := map[byte]uint32{tarstream.CharDev: unix.S_IFCHR, tarstream.BlockDev: unix.S_IFBLK, tarstream.Fifo: unix.S_IFIFO}[u.entry.Type]
	number := uint64(0)
	if format != unix.S_IFIFO {
		e := u.entry
		if e.Major < 0 || e.Major > 1<<12-1 || e.Minor < 0 || e.Minor > 1<<20-1 {
			return fmt.Errorf("%w: there is no device %d:%d", ErrInvalid, e.Major, e.Minor)
		}
		number = unix.Mkdev(uint32(e.Major), uint32(e.Minor))
	}
	err := unix.Mknodat(dir, n.name, format|m.mode, int(number))
	if err == unix.EPERM && u.limited && format != unix.S_IFIFO {
		u.o.skipped(n.path(), "device: "+err.Error())
		return u.placeholder(dir, n, m)
	}
	if err != nil {
		return fmt.Errorf("creating device or FIFO: %w", err)
	}
	return u.dressByPath(dir, n, m, format)
}

func (u *unpacker) placeholder(dir int, n *node, m *meta) error {
	fd, err := unix.Openat(dir, n.name, createFlags, 0)
	if err != nil {
		return fmt.Errorf("creating file: %w", err)
	}
	defer unix.Close(fd)
	m.mode, m.xattrs = 0, nil
	return u.dress(fd, n, m, 0)
}

// dressByPath gives a file that must not be opened its metadata. Somebody may
// have put another file in its place: no hard link to a file of the host's is
// touched.
func (u *unpacker) dressByPath(dir int, n *node, m *meta, format uint32) error {
	fd, err := unix.Openat(dir, n.name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening what was created: %w", err)
	}
	defer unix.Close(fd)
	changes := !u.o.OneOwner && m.owner != u.self
	if changes || u.masked || len(m.xattrs) > 0 {
		if err := u.dressInode(fd, n, m, format, changes); err != nil {
			return err
		}
	}
	return setTimesOfPath(fd, m.atime, m.mtime)
}

func (u *unpacker) dressInode(fd int, n *node, m *meta, format uint32, changes bool) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("looking at what was created: %w", err)
	}
	if st.Mode&unix.S_IFMT != format || st.Nlink != 1 {
		return errSwapped
	}
	if changes {
		if err := unix.Fchownat(fd, "", m.uid, m.gid, unix.AT_EMPTY_PATH); err != nil {
			return chownError(m.owner, err)
		}
	}
	if err := u.setXattrs(n, m.xattrs, setXattrOfPath(fd)); err != nil {
		return err
	}
	if format != unix.S_IFLNK && (u.masked || m.mode&0o6000 != 0) {
		if err := unix.Chmod(procPath(fd), m.mode); err != nil {
			return fmt.Errorf("changing mode: %w", err)
		}
	}
	return nil
}

// hardLink makes a hard link, or remembers one whose target this layer does not
// have.
func (u *unpacker) hardLink(parent *node, base string) error {
	target, err := cleanPath(u.entry.Link)
	if err != nil {
		return err
	}
	found := u.find(target)
	if found != nil && found == parent.child(base) && found.kind != nothing {
		return nil
	}
	n, err := u.vacate(parent, base)
	if err != nil {
		return err
	}
	// What was removed may have been the target.
	if found = u.find(target); found == nil || found.kind == nothing || found.kind == pending {
		n.kind, n.link = pending, &linkPart{target: target}
		u.links = append(u.links, n)
		parent.mark()
		return nil
	}
	return u.link(found, n)
}

// link makes n a hard link to what the layer has at target.
func (u *unpacker) link(target, n *node) error {
	if target.kind == directory {
		return fmt.Errorf("%w: a hard link to a directory", ErrInvalid)
	}
	from, err := u.open(target.parent)
	if err != nil {
		return err
	}
	to, err := u.open(n.parent)
	if err != nil {
		return err
	}
	if err := unix.Linkat(from, target.name, to, n.name, 0); err != nil {
		return fmt.Errorf("linking to %s: %w", target.path(), err)
	}
	n.become(target)
	return nil
}

// become makes a node one more name of another's file.
func (n *node) become(target *node) {
	n.kind, n.link = target.kind, nil
	if target.link != nil {
		n.link = &linkPart{target: target.link.target}
	}
}

// errSwapped says that somebody replaces files while they are unpacked.
var errSwapped = fmt.Errorf("another file is in the place of what was created: %w", unix.EEXIST)
