package tree

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// window is how many levels of one branch are held open at once. What is
// further up is closed, and opened again when it is needed: a tree may be
// thousands of levels deep, and may be read beside hundreds of others.
const window = 16

// Dir is a directory of a tree. It is for one goroutine at a time.
type Dir struct {
	parent *Dir // nil for the root of the tree
	name   string
	file   *os.File // nil while it is closed
}

// Open opens the root of a tree; path itself may not be a symbolic link.
func Open(path string) (*Dir, error) {
	file, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return &Dir{name: path, file: file}, nil
}

// Path is where the directory is, for messages.
func (d *Dir) Path() string { return strings.Join(d.namesFrom(nil), "/") }

// namesFrom are the names that lead here from a directory above, or with the
// root's path from nil.
func (d *Dir) namesFrom(above *Dir) []string {
	var names []string
	for ; d != above; d = d.parent {
		names = append(names, d.name)
	}
	slices.Reverse(names)
	return names
}

// FD is the directory's descriptor, good until the next call of FD, Sub, Close
// or With of any Dir of the tree.
func (d *Dir) FD() (int, error) {
	if d.file != nil {
		return int(d.file.Fd()), nil
	}
	// Who comes back up from the depths will need what is further up too.
	if up := d.up(window); up != nil && up.file == nil {
		if err := up.reopen(); err != nil {
			return -1, err
		}
	}
	if err := d.reopen(); err != nil {
		return -1, err
	}
	return int(d.file.Fd()), nil
}

// With calls act with the directory's descriptor, and leaves the directory open
// or closed as it was: for a visit to a part of the tree that is done.
func (d *Dir) With(act func(fd int) error) error {
	if d.file == nil {
		if err := d.reopen(); err != nil {
			return err
		}
		defer d.Close()
	}
	return act(int(d.file.Fd()))
}

// Sub opens a directory in this one. Its Close is the caller's.
func (d *Dir) Sub(name string) (*Dir, error) {
	fd, err := d.FD()
	if err != nil {
		return nil, err
	}
	file, err := openDir(fd, name, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: d.Path() + "/" + name, Err: err}
	}
	sub := &Dir{parent: d, name: name, file: file}
	sub.narrow()
	return sub, nil
}

// narrow closes the directory that is a window above this one.
func (d *Dir) narrow() {
	if above := d.up(window); above != nil && above.parent != nil {
		above.Close()
	}
}

// up is the directory so many levels above, or nil.
func (d *Dir) up(levels int) *Dir {
	for ; d != nil && levels > 0; levels-- {
		d = d.parent
	}
	return d
}

// reopen opens a directory that was closed: from the nearest one above that is
// open, and through directories alone.
//
// Linux 5.6: openat2(2).
func (d *Dir) reopen() error {
	at := d
	for ; at.file == nil; at = at.parent {
		if at.parent == nil {
			return &os.PathError{Op: "open", Path: d.Path(), Err: os.ErrClosed}
		}
	}
	names, file := d.namesFrom(at), at.file
	for len(names) > 0 {
		n := oneStep(names)
		next, err := openDir(int(file.Fd()), strings.Join(names[:n], "/"), unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS)
		if file != at.file {
			file.Close()
		}
		if err != nil {
			return &os.PathError{Op: "open", Path: d.Path(), Err: err}
		}
		file, names = next, names[n:]
	}
	d.file = file
	return nil
}

// oneStep is how many names one system call takes.
func oneStep(names []string) int {
	length := 0
	for i, name := range names {
		if length += len(name) + 1; length > unix.PathMax-1 {
			return max(i, 1)
		}
	}
	return len(names)
}

// openDir opens a directory below another, and follows no link.
func openDir(at int, name string, resolve uint64) (*os.File, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	var fd int
	err := retry(func() (err error) {
		if resolve == 0 {
			fd, err = unix.Openat(at, name, flags, 0)
			return err
		}
		fd, err = unix.Openat2(at, name, &unix.OpenHow{Flags: flags, Resolve: resolve})
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// retry calls again what a signal interrupted, or what met a rename.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR && err != unix.EAGAIN {
			return err
		}
	}
}

// Names are the names in the directory, in the order of their bytes.
func (d *Dir) Names() ([]string, error) {
	if _, err := d.FD(); err != nil {
		return nil, err
	}
	if _, err := d.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	names, err := d.file.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("reading directory %s: %w", d.Path(), unwrap(err))
	}
	slices.Sort(names)
	return names, nil
}

// unwrap is the errno of a path error, whose path is only a name here.
func unwrap(err error) error {
	if e, ok := err.(*os.PathError); ok {
		return e.Err
	}
	return err
}

// Stat is the status of what has that name in the directory, "." being the
// directory itself.
func (d *Dir) Stat(name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	fd, err := d.FD()
	if err == nil {
		err = retry(func() error { return unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	}
	if err != nil {
		return st, &os.PathError{Op: "stat", Path: d.Path() + "/" + name, Err: err}
	}
	return st, nil
}

// OpenFile opens a regular file to read it. A file of another type is never
// waited for, and refused.
func (d *Dir) OpenFile(name string) (*os.File, unix.Stat_t, error) {
	var st unix.Stat_t
	at := d.Path() + "/" + name
	fd, err := d.FD()
	if err != nil {
		return nil, st, err
	}
	err = retry(func() (err error) {
		const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
		fd, err = unix.Openat(fd, name, flags, 0)
		return err
	})
	if err != nil {
		return nil, st, &os.PathError{Op: "open", Path: at, Err: err}
	}
	file := os.NewFile(uintptr(fd), at)
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = fmt.Errorf("no regular file any more")
	}
	if err != nil {
		file.Close()
		return nil, st, fmt.Errorf("opening %s: %w", at, err)
	}
	return file, st, nil
}

// ReadLink is the target of a symbolic link in the directory.
func (d *Dir) ReadLink(name string) (string, error) {
	fd, err := d.FD()
	if err != nil {
		return "", err
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, name, buf)
	if err != nil {
		return "", &os.PathError{Op: "readlink", Path: d.Path() + "/" + name, Err: err}
	}
	return string(buf[:n]), nil
}

// Close closes the directory. It can be used again as long as one above it is
// open.
func (d *Dir) Close() error {
	if d.file == nil {
		return nil
	}
	file := d.file
	d.file = nil
	return file.Close()
}
