package treetest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Tree is the entries of a directory by their paths, "." among them.
type Tree map[string]Entry

// Paths are the paths of a tree in order.
func (t Tree) Paths() []string { return slices.Sorted(maps.Keys(t)) }

// Read is the tree at a directory, however deep. It fails the test on errors.
func Read(tb testing.TB, dir string) Tree {
	tb.Helper()
	tree, err := ReadDir(dir)
	if err != nil {
		tb.Fatalf("reading the tree %s: %v", dir, err)
	}
	return tree
}

// ReadDir is the tree at a directory, for a process that has no test, such as
// one in a user namespace.
func ReadDir(dir string) (Tree, error) {
	f, err := os.OpenFile(dir, unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := reader{tree: Tree{}, groups: map[[2]uint64][]string{}}
	if err := r.add(f, ".", "."); err != nil {
		return nil, err
	}
	r.nameGroups()
	return r.tree, nil
}

// reader collects a tree. groups are the paths of each inode with several links.
type reader struct {
	tree   Tree
	groups map[[2]uint64][]string
}

// add takes the entry of that name in dir, and what is below it.
func (r *reader) add(dir *os.File, name, at string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	entry, err := describe(dir, name, at, st)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	r.tree[at] = entry
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return r.below(dir, name, at)
	}
	if st.Nlink > 1 {
		inode := [2]uint64{st.Dev, st.Ino}
		r.groups[inode] = append(r.groups[inode], at)
	}
	return nil
}

// below adds what a directory holds.
func (r *reader) below(dir *os.File, name, at string) error {
	sub, err := openAt(dir, name, unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	defer sub.Close()
	names, err := sub.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	for _, child := range names {
		if err := r.add(sub, child, path.Join(at, child)); err != nil {
			return err
		}
	}
	return nil
}

// nameGroups gives each group of hard links the name of its first path.
func (r *reader) nameGroups() {
	for _, paths := range r.groups {
		if len(paths) < 2 {
			continue
		}
		first := slices.Min(paths)
		for _, p := range paths {
			e := r.tree[p]
			e.Links = first
			r.tree[p] = e
		}
	}
}

// openAt opens what is in a directory, and follows no link.
func openAt(dir *os.File, name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// describe is one entry without its group of links.
func describe(dir *os.File, name, at string, st unix.Stat_t) (Entry, error) {
	e := Entry{Path: at, Mode: st.Mode, UID: st.Uid, GID: st.Gid, Time: time.Unix(st.Mtim.Unix()), Blocks: st.Blocks}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		e.Size = st.Size
		e.Hash, err = hashOf(dir, name, st.Size)
	case unix.S_IFLNK:
		e.Target, err = readLink(dir, name)
	case unix.S_IFCHR, unix.S_IFBLK:
		e.Device = st.Rdev
	}
	if err != nil {
		return e, err
	}
	e.Xattrs, err = xattrs(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), name))
	return e, err
}

// readLink is the target of a symbolic link.
func readLink(dir *os.File, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(dir.Fd()), name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// xattrs are all extended attributes of the file itself, not of a link's target.
func xattrs(file string) (map[string]string, error) {
	list := make([]byte, 4<<10)
	n, err := unix.Llistxattr(file, list)
	if errors.Is(err, unix.ERANGE) {
		list = make([]byte, 64<<10)
		n, err = unix.Llistxattr(file, list)
	}
	if errors.Is(err, unix.ENOTSUP) || err == nil && n == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing xattrs: %w", err)
	}
	found := map[string]string{}
	value := make([]byte, 64<<10)
	for name := range strings.SplitSeq(strings.TrimRight(string(list[:n]), "\x00"), "\x00") {
		size, err := unix.Lgetxattr(file, name, value)
		if err != nil {
			return nil, fmt.Errorf("reading xattr %s: %w", name, err)
		}
		found[name] = string(value[:size])
	}
	return found, nil
}

// hashBlock is the unit of hashing: of each block that is not all zeros the
// place and the bytes count, so a hole equals zeros and costs nothing.
const hashBlock = 64 << 10

// hashOf is the digest of a regular file's content.
func hashOf(dir *os.File, name string, size int64) (string, error) {
	f, err := openAt(dir, name, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	block, zeros := make([]byte, min(size, hashBlock)), make([]byte, min(size, hashBlock))
	for at := int64(0); at < size; at += hashBlock {
		data, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		}
		if err != nil {
			return "", err
		}
		at = data / hashBlock * hashBlock
		n, err := f.ReadAt(block, at)
		if err != nil && err != io.EOF {
			return "", err
		}
		if string(block[:n]) != string(zeros[:n]) {
			_ = binary.Write(sum, binary.LittleEndian, at)
			sum.Write(block[:n])
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
