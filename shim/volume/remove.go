package volume

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/davit-containers/davit/shim/internal/diskusage"
)

// Remove removes a volume with its files. ErrInUse: a container has it, which
// the error names.
func (s *Store) Remove(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	l, err := s.lock()
	if err != nil {
		return err
	}
	v, err := s.read(name)
	if err == nil {
		err = v.inUse()
	}
	var gone string
	if err == nil {
		gone, err = s.hide(v)
	}
	l.Release()
	if err != nil {
		return err
	}
	return erase(v, gone)
}

// hide takes a volume's name from it, under the lock: it is gone then, and the
// rest can take its time.
func (s *Store) hide(v Volume) (gone string, err error) {
	gone, err = os.MkdirTemp(s.root, removing)
	if err == nil {
		err = os.Rename(s.path(v.Name), filepath.Join(gone, v.Name))
	}
	if err != nil {
		return "", fmt.Errorf("removing volume %s: %w", v.Name, err)
	}
	return gone, nil
}

func erase(v Volume, gone string) error {
	if err := os.RemoveAll(gone); err != nil {
		return fmt.Errorf("removing volume %s: %w", v.Name, err)
	}
	return nil
}

// Prune removes the volumes that nobody has and that want says yes to, and
// tells how many bytes of disk they had.
func (s *Store) Prune(want func(Volume) bool) (removed []Volume, bytes int64, err error) {
	volumes, err := s.List()
	if err != nil {
		return nil, 0, err
	}
	for _, v := range volumes {
		if len(v.Users) > 0 || !want(v) {
			continue
		}
		size, err := s.Size(v.Name)
		if err == nil {
			err = s.Remove(v.Name)
		}
		if errors.Is(err, ErrInUse) || errors.Is(err, ErrNotExist) {
			continue // somebody was quicker
		}
		if err != nil {
			return removed, bytes, err
		}
		removed, bytes = append(removed, v), bytes+size
	}
	return removed, bytes, nil
}

// Size is how many bytes of disk a volume's files have, those with several
// names once. A volume that is written to meanwhile has about that size.
func (s *Store) Size(name string) (bytes int64, err error) {
	v, err := s.Get(name)
	if err != nil {
		return 0, err
	}
	if bytes, err = diskusage.Of(v.Path); err != nil {
		return 0, fmt.Errorf("measuring volume %s: %w", name, err)
	}
	return bytes, nil
}
