package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/cyphar/filepath-securejoin/pathrs-lite"
	"golang.org/x/sys/unix"
)

// place is a directory in a root file system that something is put into.
type place struct {
	dir  *os.File
	at   string // its path in the root
	name string // that of what is put there; "." for the directory's own content
	made bool   // the directory was not there before
}

// owner is whom files are given to; nil keeps what they have.
type owner struct{ uid, gid int }

// newDirMode is the mode of directories that nobody gave another one.
const newDirMode = 0o755

// openDir opens a directory in a root, links followed within it.
func openDir(root *os.File, name string) (*os.File, error) {
	handle, err := pathrs.OpenatInRoot(root, name)
	if err != nil {
		return nil, cause(name, err)
	}
	defer handle.Close()
	dir, err := pathrs.Reopen(handle, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)
	return dir, cause(name, err)
}

// cause is the errno of an error of opening a path.
func cause(name string, err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return &os.PathError{Op: "open", Path: name, Err: errno}
	}
	return err
}

// makeDirs opens a directory in a root, and makes it and those above it where they
// are missing, for an owner.
// CVE-2024-1753, CVE-2026-55686: such a path led to the host by a link.
func makeDirs(root *os.File, name string, to *owner) (dir *os.File, made bool, err error) {
	if dir, err = openDir(root, "/"); err != nil {
		return nil, false, err
	}
	at := "/"
	for part := range strings.SplitSeq(strings.Trim(path.Clean("/"+name), "/"), "/") {
		if part == "" {
			break
		}
		at = path.Join(at, part)
		next, err := openDir(root, at)
		if errors.Is(err, fs.ErrNotExist) {
			next, err = makeDir(dir, part, to)
			made = true
		}
		dir.Close()
		if err != nil {
			return nil, false, fmt.Errorf("making directory %s: %w", at, err)
		}
		dir = next
	}
	return dir, made, nil
}

// makeDir makes one directory in another.
func makeDir(in *os.File, name string, to *owner) (*os.File, error) {
	if err := unix.Mkdirat(int(in.Fd()), name, 0o700); err != nil {
		if err == unix.EEXIST {
			err = fmt.Errorf("%w [it is a link that leads nowhere]", err)
		}
		return nil, err
	}
	dir, err := beneath(in, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	if to != nil {
		err = unix.Fchown(int(dir.Fd()), to.uid, to.gid)
	}
	if err == nil {
		err = unix.Fchmod(int(dir.Fd()), newDirMode)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// placeFor finds where a source goes: a directory's content goes into the
// destination, a file into it where that is a directory, and otherwise in its place.
func placeFor(root *os.File, dest string, isDir bool, name string, to *owner) (place, error) {
	into := isDir || strings.HasSuffix(dest, "/") || dest == "/"
	if !into {
		dir, err := openDir(root, dest)
		switch {
		case err == nil:
			return place{dir: dir, at: dest, name: name}, nil
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
			dir, _, err := makeDirs(root, path.Dir(dest), to)
			return place{dir: dir, at: path.Dir(dest), name: path.Base(dest)}, err
		}
		return place{}, err
	}
	dir, made, err := makeDirs(root, dest, to)
	if isDir {
		name = "."
	}
	return place{dir: dir, at: path.Clean(dest), name: name, made: made}, err
}
