package bundledir

import (
	"errors"
	"fmt"
	"os"

	"github.com/davit-containers/davit/bundle/rootfs"
	"github.com/davit-containers/davit/bundle/store"
)

// Remove removes a bundle with all that was written in it, and ends its hold. The
// record goes last, so that what was interrupted can be done again.
func (b *Bundle) Remove(s *store.Store) error {
	err := b.empty(s)
	if err == nil {
		err = os.Remove(b.Dir)
	}
	if err != nil {
		return fmt.Errorf("removing bundle %s: %w", b.Dir, err)
	}
	return nil
}

// empty removes what is in the directory.
func (b *Bundle) empty(s *store.Store) error {
	if err := errors.Join(rootfs.Unmount(b.Rootfs()), rootfs.EndProbe(b.Dir)); err != nil {
		return err
	}
	entries, err := os.ReadDir(b.Dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if e.Name() != recordName {
			errs = append(errs, rootfs.Remove(b.path(e.Name())))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return errors.Join(s.Release(b.Hold), os.Remove(b.path(recordName)))
}
