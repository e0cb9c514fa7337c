package agent

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/vm/wire"
)

// hostTag names the device that holds the host's files.
const hostTag = "host"

// showShares binds the shares into the guest's tree. What else the device has
// of the host's files stays out of sight.
func showShares(shares []wire.Share) error {
	if len(shares) == 0 {
		return nil
	}
	host, err := os.MkdirTemp("/run", "host-")
	if err != nil {
		return err
	}
	const options = "trans=virtio,version=9p2000.L,msize=524288,cache=mmap"
	if err := unix.Mount(hostTag, host, "9p", 0, options); err != nil {
		return fmt.Errorf("mounting the host's files: %w", err)
	}
	for _, share := range shares {
		if err := show(host, share); err != nil {
			return fmt.Errorf("sharing %s: %w", share.Path, err)
		}
	}
	if err := unix.Unmount(host, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("hiding the host's other files: %w", err)
	}
	return os.Remove(host)
}

// show binds one share.
func show(host string, share wire.Share) error {
	if err := os.MkdirAll(share.Path, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(host+share.Path, share.Path, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if !share.ReadOnly {
		return nil
	}
	return unix.Mount("", share.Path, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
}
