package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// MakeRoot makes the directory below which containers are kept, with the
// directories above it, whatever the umask: mode 0711 for root, 0700 with the
// sticky bit for anyone else, because files below $XDG_RUNTIME_DIR without it
// may be cleaned up. A root that exists is left as it is.
func MakeRoot(root string) error {
	mode := os.FileMode(0o711)
	if os.Geteuid() != 0 {
		mode = 0o700 | os.ModeSticky
	}
	if err := os.MkdirAll(filepath.Dir(root), mode); err != nil {
		return err
	}
	err := os.Mkdir(root, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Chmod(root, mode)
}

// List returns the ids below root, sorted, of whole and of incomplete
// containers. A root that does not exist is an error, fs.ErrNotExist.
func List(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.IsDir() && CheckID(e.Name()) == nil {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// openRoot opens root. It is made where it does not exist and is to be made.
func openRoot(root string, maker func(string) error) (*os.File, error) {
	f, err := openPath(root)
	if errors.Is(err, fs.ErrNotExist) && maker != nil {
		if err := maker(root); err != nil {
			return nil, err
		}
		return openPath(root)
	}
	return f, err
}

func openPath(root string) (*os.File, error) {
	fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: root, Err: err}
	}
	return os.NewFile(uintptr(fd), root), nil
}
