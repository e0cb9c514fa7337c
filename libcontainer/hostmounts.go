package libcontainer

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/state"
)

// unmountRoot takes the container's mounts off the host: those of a container
// without a mount namespace, all of them below one mount of its root file
// system onto itself. What lay there before has the recorded id, and stays.
func unmountRoot(s *state.State) error {
	if s.HostMount == 0 {
		return nil
	}
	id, err := sys.MountID(s.Rootfs)
	if errors.Is(err, unix.ENOENT) || err == nil && id == s.HostMount {
		return nil
	}
	if err == nil {
		err = unix.Unmount(s.Rootfs, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	}
	if err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: nothing is mounted there
		return fmt.Errorf("unmounting the root file system %s: %w", s.Rootfs, err)
	}
	return nil
}
