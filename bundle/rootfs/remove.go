package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/internal/tree"
)

// Remove removes a directory with all that is in it, also where a mount of ours
// is on it, or where it was left unfinished. It neither follows links nor
// enters other mounts: where one is inside, it fails with EXDEV (or EBUSY), and
// touches nothing there. What is not there need not be removed.
func Remove(dir string) error {
	if err := Unmount(dir); err != nil && !errors.Is(err, unix.ENOTDIR) {
		return fmt.Errorf("removing %s: %w", dir, err)
	}
	err := unix.Unlink(dir)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	parent, err := tree.Open(filepath.Dir(dir))
	if err != nil {
		return fmt.Errorf("removing %s: %w", dir, err)
	}
	defer parent.Close()
	return removeTree(parent, filepath.Base(dir))
}

// removeTree removes a directory of an open one.
func removeTree(in *tree.Dir, name string) error {
	dir, err := in.Sub(name)
	if err == nil {
		err = errors.Join(empty(dir), dir.Close())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	fd, err := in.FD()
	if err != nil {
		return err
	}
	return gone(in, name, unix.Unlinkat(fd, name, unix.AT_REMOVEDIR))
}

// empty removes what is in a directory that is not the root of a mount.
func empty(dir *tree.Dir) error {
	if err := checkNoMount(dir); err != nil {
		return &os.PathError{Op: "remove", Path: dir.Path(), Err: err}
	}
	names, err := dir.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := removeAny(dir, name); err != nil {
			return err
		}
	}
	return nil
}

// removeAny removes one name, with all that is below it.
func removeAny(in *tree.Dir, name string) error {
	fd, err := in.FD()
	if err != nil {
		return err
	}
	err = unix.Unlinkat(fd, name, 0)
	if errors.Is(err, unix.EISDIR) {
		return removeTree(in, name)
	}
	return gone(in, name, err)
}

// gone is the error of removing a name; that it was not there is none.
func gone(in *tree.Dir, name string, err error) error {
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return &os.PathError{Op: "remove", Path: in.Path() + "/" + name, Err: err}
}

// checkNoMount fails with EXDEV for a directory that is another mount's.
//
// Linux 5.8: STATX_ATTR_MOUNT_ROOT.
func checkNoMount(dir *tree.Dir) error {
	fd, err := dir.FD()
	if err != nil {
		return err
	}
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, 0, &st); err != nil {
		return err
	}
	if st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return unix.EXDEV
	}
	return nil
}
