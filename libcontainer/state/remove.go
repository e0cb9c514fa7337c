package state

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Remove removes the directory and everything in it, the state last, and
// closes d. No link is followed. Only the holder of the lock may call it. After
// an error, or killed in the middle, it can be called again on a new Dir.
func (d *Dir) Remove() error {
	err := removeEntries(d.file, fileName)
	if err == nil {
		err = d.removeSelf()
	}
	return errors.Join(err, d.Close())
}

func (d *Dir) removeSelf() error {
	err := unix.Unlinkat(int(d.file.Fd()), fileName, 0)
	if err == nil || err == unix.ENOENT {
		err = unix.Unlinkat(int(d.root.Fd()), d.id, unix.AT_REMOVEDIR)
	}
	if err == unix.ENOENT {
		return nil
	}
	return d.failure("remove", err)
}

// removeEntries removes what is in dir, but for the entry named keep.
func removeEntries(dir *os.File, keep string) error {
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == keep {
			continue
		}
		if err := removeEntry(dir, e); err != nil {
			return err
		}
	}
	return nil
}

func removeEntry(dir *os.File, e os.DirEntry) error {
	flags := 0
	if e.IsDir() {
		if err := removeTree(dir, e.Name()); err != nil {
			return err
		}
		flags = unix.AT_REMOVEDIR
	}
	err := unix.Unlinkat(int(dir.Fd()), e.Name(), flags)
	if err == nil || err == unix.ENOENT {
		return nil
	}
	return &os.PathError{Op: "remove", Path: dir.Name() + "/" + e.Name(), Err: err}
}

func removeTree(dir *os.File, name string) error {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(int(dir.Fd()), name, flags, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: dir.Name() + "/" + name, Err: err}
	}
	sub := os.NewFile(uintptr(fd), dir.Name()+"/"+name)
	defer sub.Close()
	return removeEntries(sub, "")
}
