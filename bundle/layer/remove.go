package layer

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// removeAll removes a file, or a directory with all in it, by descriptors. No
// link is followed.
func removeAll(dir int, name string) error {
	r := &remover{top: dir}
	if err := r.remove(dir, name, 0); err != nil {
		return err
	}
	for len(r.trash) > 0 {
		last := r.trash[len(r.trash)-1]
		r.trash = r.trash[:len(r.trash)-1]
		if err := r.remove(dir, last, 0); err != nil {
			return err
		}
	}
	return nil
}

// maxNested is how many directories are open at once. What is deeper is moved up
// first.
const maxNested = 64

type remover struct {
	top   int
	trash []string // directories moved to the top
	moved int
}

func (r *remover) remove(dir int, name string, depth int) error {
	err := unix.Unlinkat(dir, name, 0)
	if err == nil || err == unix.ENOENT {
		return nil
	}
	if err != unix.EISDIR && err != unix.EPERM {
		return fmt.Errorf("removing: %w", err)
	}
	if depth == maxNested {
		r.moved++
		to := fmt.Sprintf("%s-%s-%d", asideName, "removed", r.moved)
		if err := unix.Renameat2(dir, name, r.top, to, unix.RENAME_NOREPLACE); err != nil {
			return fmt.Errorf("moving what is removed: %w", err)
		}
		r.trash = append(r.trash, to)
		return nil
	}
	if err := r.empty(dir, name, depth); err != nil {
		return err
	}
	if err := unix.Unlinkat(dir, name, unix.AT_REMOVEDIR); err != nil && err != unix.ENOENT {
		return fmt.Errorf("removing directory: %w", err)
	}
	return nil
}

// empty removes what is in a directory.
func (r *remover) empty(dir int, name string, depth int) error {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening what is removed: %w", err)
	}
	defer unix.Close(fd)
	names, err := namesIn(fd)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := r.remove(fd, name, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// namesIn are the names in an open directory.
func namesIn(dir int) ([]string, error) {
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("reading directory: %w", err)
	}
	f := os.NewFile(uintptr(fd), ".")
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("reading directory: %w", err)
	}
	return names, nil
}
