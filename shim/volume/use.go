package volume

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/rootpath"
	"github.com/davit-containers/davit/shim/internal/statefile"
)

// Image is what a volume is filled from at its first use.
type Image struct {
	Root *os.File        // the container's root file system
	Path rootpath.InRoot // where the volume will be mounted in it
}

// Use notes that a container has a volume, before it is mounted, and returns
// the volume. At the first use of a volume that is empty it gets the image's
// files at that place, with the owner, the mode and all else, and the
// directory's own; with no image (nil) it stays as it is, then and later.
//
// After a failure the container has the volume all the same: Release undoes it.
func (s *Store) Use(name, container string, from *Image) (Volume, error) {
	if err := errors.Join(checkName(name), checkWord("container", container)); err != nil {
		return Volume{}, err
	}
	v, err := s.note(name, container)
	if err != nil || !v.Fresh {
		return v, err
	}
	if err := s.firstUse(v, from); err != nil {
		return Volume{}, fmt.Errorf("filling volume %s: %w", name, err)
	}
	v.Fresh = false
	return v, nil
}

// Claim notes that a container has a volume, which is not filled before Use. It
// keeps others from removing it meanwhile.
func (s *Store) Claim(name, container string) (Volume, error) {
	if err := errors.Join(checkName(name), checkWord("container", container)); err != nil {
		return Volume{}, err
	}
	return s.note(name, container)
}

// note makes the file that stands for a container.
func (s *Store) note(name, container string) (Volume, error) {
	l, err := s.lock()
	if err != nil {
		return Volume{}, err
	}
	defer l.Release()
	if _, err := s.read(name); err != nil {
		return Volume{}, err
	}
	f, err := os.OpenFile(s.path(name, usersDir, container), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return Volume{}, fmt.Errorf("using volume %s: %w", name, err)
	}
	f.Close()
	return s.read(name)
}

// firstUse is where several containers wait for the first of them.
func (s *Store) firstUse(v Volume, from *Image) error {
	l, err := statefile.Acquire(s.path(v.Name, lockFile))
	if err != nil {
		return err
	}
	defer l.Release()
	v, err = s.read(v.Name)
	if err != nil || !v.Fresh {
		return err
	}
	if from != nil {
		if err := s.fill(v, from); err != nil {
			return err
		}
	}
	v.Fresh = false
	return statefile.WriteJSON(s.path(v.Name, stateFile), v)
}

// copying is how the name of a copy begins that is not complete.
const copying = ".copy-"

// fill puts a copy of the image's directory in the place of the volume's. An
// image without one there leaves the volume as it is, and so does a volume with
// files.
func (s *Store) fill(v Volume, from *Image) error {
	dir := filepath.Dir(v.Path)
	left, _ := filepath.Glob(filepath.Join(dir, copying+"*"))
	for _, l := range left {
		if err := os.RemoveAll(l); err != nil {
			return err
		}
	}
	source, err := from.open()
	if source == nil || err != nil {
		return err
	}
	defer source.Close()
	if empty, err := isEmpty(v.Path); err != nil || !empty {
		return err
	}
	copy, err := os.MkdirTemp(dir, copying)
	if err != nil {
		return err
	}
	if err := copyTree(source, copy); err != nil {
		return errors.Join(err, os.RemoveAll(copy))
	}
	if err := unix.Rename(copy, v.Path); err != nil { // os.Rename replaces no directory
		return &os.LinkError{Op: "rename", Old: copy, New: v.Path, Err: err}
	}
	return nil
}

// open opens the image's directory for reading; nothing where there is none, or
// something else.
//
// CVE-2022-23648: the path is the image's, and may have any number of "..".
func (i *Image) open() (*os.File, error) {
	handle, err := rootpath.Open(i.Root, i.Path)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer handle.Close()
	dir, err := openDir(handle)
	if errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	return dir, err
}

func isEmpty(path string) (bool, error) {
	dir, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(1)
	return len(names) == 0, nil
}

// Release notes that a container has no volume any more, once nothing of it is
// mounted. It returns the anonymous volumes that nobody has now, which go with
// their container where the user wants that.
func (s *Store) Release(container string) (unused []Volume, err error) {
	if err := checkWord("container", container); err != nil {
		return nil, err
	}
	l, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer l.Release()
	volumes, err := s.all()
	if err != nil {
		return nil, err
	}
	for _, v := range volumes {
		if !slices.Contains(v.Users, container) {
			continue
		}
		if err := os.Remove(s.path(v.Name, usersDir, container)); err != nil {
			return unused, fmt.Errorf("releasing volume %s: %w", v.Name, err)
		}
		if v.Users = slices.DeleteFunc(v.Users, func(u string) bool { return u == container }); v.Anonymous && len(v.Users) == 0 {
			unused = append(unused, v)
		}
	}
	return unused, nil
}

// inUse is ErrInUse with who has the volume.
func (v Volume) inUse() error {
	if len(v.Users) == 0 {
		return nil
	}
	return fmt.Errorf("removing volume %s: %w by container %s", v.Name, ErrInUse, strings.Join(v.Users, ", "))
}
