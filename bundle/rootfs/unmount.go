package rootfs

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Unmount undoes Mount: it detaches the overlay at the target, whoever still
// uses it. Where nothing is mounted, and where there is no target, there is
// nothing to do. A mount of anybody else's is left alone, with ErrNotOurs.
func Unmount(target string) error {
	f, err := openPath(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("unmounting: %w", err)
	}
	defer f.Close()
	id, root, err := mountOf(f)
	if err != nil || !root {
		return err
	}
	if err := checkOurs(id); err != nil {
		return fmt.Errorf("unmounting %s: %w", target, err)
	}
	// The descriptor names this mount, whatever the path leads to by now.
	if err := unix.Unmount(procPath(f), unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmounting %s: %w", target, err)
	}
	return nil
}

// checkOurs fails with ErrNotOurs where a mount is no overlay that Mount made.
func checkOurs(id uint64) error {
	found, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		return uint64(m.ID) != id, uint64(m.ID) == id
	})
	switch {
	case err != nil:
		return fmt.Errorf("reading the mount table: %w", err)
	case len(found) == 0:
		return fmt.Errorf("mount %d: %w [it has gone from the mount table]", id, ErrNotOurs)
	case found[0].FSType != "overlay" || found[0].Source != sourceName:
		return fmt.Errorf("%s of %s: %w", found[0].FSType, found[0].Source, ErrNotOurs)
	}
	return nil
}
