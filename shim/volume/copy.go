package volume

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxDepth is how deep directories may be nested; each level keeps two
// descriptors open.
const maxDepth = 400

// inode is what several names of one file have in common.
type inode struct{ dev, ino uint64 }

// copier copies a tree that others may be changing into a directory that nobody
// else knows of.
type copier struct {
	top   *os.File         // the copy's
	links map[inode]string // files with several names, to their first in the copy
	buf   []byte
}

// copyTree copies what is in a directory, and its own owner, mode, extended
// attributes and times, into the directory at dest, which is there and empty.
// Sockets are left out: nobody listens at a copy.
func copyTree(source *os.File, dest string) error {
	top, err := os.Open(dest)
	if err != nil {
		return err
	}
	defer top.Close()
	c := &copier{top: top, links: map[inode]string{}}
	return c.dir(source, top, ".", 0)
}

// openDir opens the directory behind an O_PATH descriptor for reading.
func openDir(handle *os.File) (*os.File, error) {
	return openat(handle, ".", unix.O_RDONLY|unix.O_DIRECTORY, handle.Name())
}

// openat opens one name, of which a link is not followed; at is for messages.
func openat(dir *os.File, name string, flags int, at string) (*os.File, error) {
	for {
		fd, err := unix.Openat(int(dir.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err == nil {
			return os.NewFile(uintptr(fd), at), nil
		}
		if err != unix.EINTR {
			return nil, &os.PathError{Op: "open", Path: at, Err: err}
		}
	}
}

// dir copies the entries of a directory, and then what it is itself. at is its
// name in the copy.
func (c *copier) dir(source, dest *os.File, at string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("copying %.100s...: directories are nested more than %d deep", at, maxDepth)
	}
	for {
		names, err := source.Readdirnames(256)
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("copying %s: %w", at, err)
		}
		for _, name := range names {
			if err := c.entry(source, dest, name, at+"/"+name, depth); err != nil {
				return err
			}
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(source.Fd()), &st); err != nil {
		return fmt.Errorf("copying %s: %w", at, err)
	}
	return named(at, setAll(source, dest, &st))
}

// named says which file an error is about.
func named(at string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("copying %s: %w", at, err)
}

// entry copies one file. Its name is resolved once, here; from then on there is
// nothing but its descriptor.
func (c *copier) entry(sourceDir, destDir *os.File, name, at string, depth int) error {
	handle, err := openat(sourceDir, name, unix.O_PATH, at)
	if errors.Is(err, unix.ENOENT) {
		return nil // it was removed meanwhile
	}
	if err != nil {
		return err
	}
	defer handle.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(handle.Fd()), &st); err != nil {
		return named(at, err)
	}
	kind := st.Mode & unix.S_IFMT
	if kind == unix.S_IFSOCK {
		return nil
	}
	if kind == unix.S_IFDIR {
		return c.subdir(handle, destDir, name, at, depth)
	}
	if first, linked := c.links[inode{st.Dev, st.Ino}]; linked && st.Nlink > 1 {
		return named(at, c.link(first, destDir, name))
	}
	if err := c.file(handle, destDir, name, at, &st); err != nil {
		return named(at, err)
	}
	if st.Nlink > 1 {
		c.links[inode{st.Dev, st.Ino}] = at
	}
	return nil
}

func (c *copier) subdir(handle, destDir *os.File, name, at string, depth int) error {
	source, err := openDir(handle)
	if err != nil {
		return err
	}
	defer source.Close()
	if err := unix.Mkdirat(int(destDir.Fd()), name, 0o700); err != nil {
		return named(at, err)
	}
	dest, err := openat(destDir, name, unix.O_RDONLY|unix.O_DIRECTORY, at)
	if err != nil {
		return err
	}
	defer dest.Close()
	return c.dir(source, dest, at, depth+1)
}

// link gives a file of the copy another name.
func (c *copier) link(first string, destDir *os.File, name string) error {
	return unix.Linkat(int(c.top.Fd()), first, int(destDir.Fd()), name, 0)
}

// file copies what is no directory.
func (c *copier) file(handle, destDir *os.File, name, at string, st *unix.Stat_t) error {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return c.regular(handle, destDir, name, at, st)
	case unix.S_IFLNK:
		target, err := readlink(handle)
		if err == nil {
			err = unix.Symlinkat(target, int(destDir.Fd()), name)
		}
		if err != nil {
			return err
		}
	default:
		if err := unix.Mknodat(int(destDir.Fd()), name, st.Mode&^0o7777|0o600, int(st.Rdev)); err != nil {
			return err
		}
	}
	dest, err := openat(destDir, name, unix.O_PATH, at)
	if err != nil {
		return err
	}
	defer dest.Close()
	return setAll(handle, dest, st)
}

// readlink is the target of a link behind an O_PATH descriptor.
func readlink(handle *os.File) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(handle.Fd()), "", buf)
	return string(buf[:max(0, n)]), err
}

// regular copies a regular file, up to the size that it has now. It is known to
// be one, so that opening it does not wait.
func (c *copier) regular(handle, destDir *os.File, name, at string, st *unix.Stat_t) error {
	source, err := os.OpenFile(procPath(handle), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer source.Close()
	dest, err := openat(destDir, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, at)
	if err != nil {
		return err
	}
	defer dest.Close()
	if err := c.content(source, dest, st.Size); err != nil {
		return err
	}
	return setAll(handle, dest, st)
}

// procPath is a name of an open file that leads to nothing else.
func procPath(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }
