package tree

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Xattrs are the extended attributes of what has that name in the directory,
// "." being the directory itself; of a link they are its own.
func (d *Dir) Xattrs(name string) (map[string]string, error) {
	at, err := d.throughProc(name)
	if err != nil {
		return nil, err
	}
	list, err := grown(func(buf []byte) (int, error) { return unix.Llistxattr(at, buf) })
	if errors.Is(err, unix.ENOTSUP) || err == nil && len(list) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing xattrs of %s/%s: %w", d.Path(), name, err)
	}
	found := map[string]string{}
	for key := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		value, err := grown(func(buf []byte) (int, error) { return unix.Lgetxattr(at, key, buf) })
		if errors.Is(err, unix.ENODATA) {
			continue // removed since it was listed
		}
		if err != nil {
			return nil, fmt.Errorf("reading xattr %s of %s/%s: %w", key, d.Path(), name, err)
		}
		found[key] = string(value)
	}
	return found, nil
}

// xattr is one extended attribute, "" where it is not there.
func (d *Dir) xattr(name, key string) (string, error) {
	at, err := d.throughProc(name)
	if err != nil {
		return "", err
	}
	value, err := grown(func(buf []byte) (int, error) { return unix.Lgetxattr(at, key, buf) })
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP):
		return "", nil
	case err != nil:
		return "", &os.PathError{Op: "getxattr", Path: d.Path() + "/" + name, Err: err}
	}
	return string(value), nil
}

// throughProc is a path to a name in the directory by way of its descriptor:
// the calls for extended attributes that take a descriptor and a name are
// newer than the kernels that we run on.
//
// Linux 6.13: getxattrat(2).
func (d *Dir) throughProc(name string) (string, error) {
	fd, err := d.FD()
	if err != nil {
		return "", err
	}
	return "/proc/self/fd/" + strconv.Itoa(fd) + "/" + name, nil
}

// grown calls read with a small buffer, and where that is too small with one
// of the largest size that an attribute or a list of them can have.
func grown(read func([]byte) (int, error)) ([]byte, error) {
	buf := make([]byte, 256)
	n, err := read(buf)
	if errors.Is(err, unix.ERANGE) {
		buf = make([]byte, 64<<10)
		n, err = read(buf)
	}
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}
