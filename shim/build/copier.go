package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/cyphar/filepath-securejoin/pathrs-lite"
	"golang.org/x/sys/unix"
)

// copier puts sources into a root file system.
type copier struct {
	ctx  context.Context
	root *os.File
	to   *owner  // nil: as the source has it
	mode *uint32 // nil: as the source has it
	warn func(string)

	links map[inode]string // files with several names, and where the first was put
	buf   []byte
}

// inode is a file of a source.
type inode struct{ dev, ino uint64 }

// source copies one source to a place.
func (c *copier) source(s *source, p place) error {
	defer p.dir.Close()
	c.links = map[inode]string{}
	if !s.isDir() {
		return c.file(s, &s.entries[0], p.dir, path.Join(p.at, p.name))
	}
	if p.made {
		if err := c.metadata(s, &s.entries[0], p.dir, "."); err != nil {
			return err
		}
	}
	dirs := []*entry{}
	for i := range s.entries[1:] {
		e := &s.entries[1+i]
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := c.entry(s, e, p.at); err != nil {
			return fmt.Errorf("copying %s: %w", path.Join(s.rel, e.path), err)
		}
		if e.kind() == unix.S_IFDIR {
			dirs = append(dirs, e)
		}
	}
	return c.finish(s, p, dirs)
}

// finish gives directories their times, which were changed by what was put into
// them.
func (c *copier) finish(s *source, p place, dirs []*entry) error {
	if p.made {
		dirs = append(dirs, &s.entries[0])
	}
	for _, e := range dirs {
		dir, err := openDir(c.root, path.Join(p.at, e.path))
		if err != nil {
			return err
		}
		err = setTimes(dir, e)
		if err = errors.Join(err, dir.Close()); err != nil {
			return err
		}
	}
	return nil
}

// entry copies one file or directory below a source's directory. Links on the way
// are those of the root file system, and lead nowhere else.
func (c *copier) entry(s *source, e *entry, at string) error {
	at = path.Join(at, path.Dir(e.path))
	dir, err := openDir(c.root, at)
	if err != nil {
		return err
	}
	defer dir.Close()
	if e.kind() == unix.S_IFDIR {
		return c.directory(s, e, dir, at)
	}
	return c.file(s, e, dir, path.Join(at, path.Base(e.path)))
}

// directory makes a directory, or takes one that is there.
func (c *copier) directory(s *source, e *entry, in *os.File, at string) error {
	name := path.Base(e.path)
	err := unix.Mkdirat(int(in.Fd()), name, 0o700)
	if err == unix.EEXIST {
		var st unix.Stat_t
		if err := unix.Fstatat(int(in.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return c.throughLink(path.Join(at, name))
		}
		err = nil
	}
	if err != nil {
		return err
	}
	return c.metadata(s, e, in, name)
}

// throughLink is for a directory where a link is: it may lead to a directory, as
// /bin does to /usr/bin.
func (c *copier) throughLink(name string) error {
	dir, err := openDir(c.root, name)
	if err != nil {
		return fmt.Errorf("there is a file of that name, and no directory (%w)", err)
	}
	return dir.Close()
}

// file copies what is no directory, over what is there; in is the directory of the
// path to.
func (c *copier) file(s *source, e *entry, in *os.File, to string) error {
	name := path.Base(to)
	err := unix.Unlinkat(int(in.Fd()), name, 0)
	switch {
	case err == unix.EISDIR:
		return fmt.Errorf("%s: there is a directory of that name", name)
	case err != nil && err != unix.ENOENT:
		return fmt.Errorf("replacing %s: %w", name, err)
	}
	if e.stat.Nlink > 1 {
		if done, err := c.again(e, in, to); done || err != nil {
			return err
		}
	}
	switch e.kind() {
	case unix.S_IFREG:
		return c.regular(s, e, in, name)
	case unix.S_IFLNK:
		err = unix.Symlinkat(e.link, int(in.Fd()), name)
	case unix.S_IFIFO:
		err = unix.Mknodat(int(in.Fd()), name, unix.S_IFIFO|0o600, 0)
	case unix.S_IFCHR, unix.S_IFBLK:
		if !s.tree.owned {
			return c.leave(s, e, "a device")
		}
		err = unix.Mknodat(int(in.Fd()), name, e.kind()|0o600, int(e.stat.Rdev))
	default:
		return c.leave(s, e, "a socket")
	}
	if err != nil {
		return fmt.Errorf("making %s: %w", name, err)
	}
	return c.metadata(s, e, in, name)
}

// leave leaves a file out, and says so.
func (c *copier) leave(s *source, e *entry, what string) error {
	c.warn(fmt.Sprintf("%s is left out: it is %s", path.Join(s.rel, e.path), what))
	return nil
}

// again links a file to its first name.
func (c *copier) again(e *entry, in *os.File, to string) (bool, error) {
	node := inode{e.stat.Dev, e.stat.Ino}
	first, known := c.links[node]
	if !known {
		c.links[node] = to
		return false, nil
	}
	dir, err := openDir(c.root, path.Dir(first))
	if err != nil {
		return false, err
	}
	defer dir.Close()
	return true, unix.Linkat(int(dir.Fd()), path.Base(first), int(in.Fd()), path.Base(to), 0)
}

// regular copies a regular file's content.
func (c *copier) regular(s *source, e *entry, in *os.File, name string) error {
	from, err := s.regular(e)
	if err != nil {
		return err
	}
	defer from.Close()
	fd, err := unix.Openat(int(in.Fd()), name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("making %s: %w", name, err)
	}
	to := os.NewFile(uintptr(fd), name)
	err = c.content(to, from, e.stat.Size)
	if err = errors.Join(err, to.Close()); err != nil {
		return fmt.Errorf("copying %s: %w", name, err)
	}
	return c.metadata(s, e, in, name)
}

// content copies what is no hole.
func (c *copier) content(to, from *os.File, size int64) error {
	if err := unix.Ftruncate(int(to.Fd()), size); err != nil {
		return err
	}
	for at := int64(0); at < size; {
		start, err := unix.Seek(int(from.Fd()), at, unix.SEEK_DATA)
		if err == unix.ENXIO {
			return nil
		}
		if err != nil {
			return err
		}
		end, err := unix.Seek(int(from.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if err := c.span(to, from, start, min(end, size)); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// span copies a part of a file to the same place.
func (c *copier) span(to, from *os.File, start, end int64) error {
	for start < end {
		readAt, writeAt := start, start
		n, err := unix.CopyFileRange(int(from.Fd()), &readAt, int(to.Fd()), &writeAt, int(min(end-start, 1<<30)), 0)
		if err != nil || n == 0 {
			break
		}
		start += int64(n)
	}
	if start == end {
		return nil
	}
	if c.buf == nil {
		c.buf = make([]byte, 256<<10)
	}
	to1, from1 := struct{ io.Writer }{io.NewOffsetWriter(to, start)}, struct{ io.Reader }{io.NewSectionReader(from, start, end-start)}
	n, err := io.CopyBuffer(to1, from1, c.buf)
	if err == nil && n < end-start {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// metadata gives what was made its owner, its attributes, its mode and its times.
// The order matters: a change of owner takes capabilities and set-id bits away.
func (c *copier) metadata(s *source, e *entry, in *os.File, name string) error {
	made, err := beneath(in, name, unix.O_PATH)
	if err != nil {
		return err
	}
	defer made.Close()
	to := c.to
	if to == nil {
		to = &owner{int(e.stat.Uid), int(e.stat.Gid)}
	}
	if err := unix.Fchownat(int(made.Fd()), "", to.uid, to.gid, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("setting the owner %d:%d: %w", to.uid, to.gid, err)
	}
	if s.tree.owned {
		if err := copyAttributes(s, e, made); err != nil {
			return err
		}
	}
	if e.kind() != unix.S_IFLNK {
		mode := e.stat.Mode & 0o7777
		if c.mode != nil {
			mode = *c.mode
		}
		if err := unix.Chmod(procPath(made), mode); err != nil {
			return fmt.Errorf("setting the mode: %w", err)
		}
	}
	return setTimes(made, e)
}

// setTimes gives a file the times of the source's.
func setTimes(made *os.File, e *entry) error {
	times := []unix.Timespec{e.stat.Mtim, e.stat.Mtim}
	return unix.UtimesNanoAt(unix.AT_FDCWD, procPath(made), times, 0)
}

// copyAttributes copies extended attributes, but for overlayfs's and the machine's
// own.
func copyAttributes(s *source, e *entry, made *os.File) error {
	if e.kind() != unix.S_IFREG && e.kind() != unix.S_IFDIR {
		return nil
	}
	from, err := s.handleOf(e)
	if err != nil {
		return err
	}
	defer from.Close()
	for _, key := range attributesOf(procPath(from)) {
		value, err := attribute(procPath(from), key)
		if err != nil {
			return fmt.Errorf("reading attribute %s: %w", key, err)
		}
		if err := unix.Setxattr(procPath(made), key, value, 0); err != nil {
			return fmt.Errorf("setting attribute %s: %w", key, err)
		}
	}
	return nil
}

// handleOf takes hold of a file of the source.
func (s *source) handleOf(e *entry) (*os.File, error) {
	if e.path == "." {
		return pathrs.Reopen(s.handle, unix.O_PATH|unix.O_CLOEXEC)
	}
	return beneath(s.handle, e.path, unix.O_PATH)
}
