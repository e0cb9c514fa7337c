package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// MountID returns the kernel's id of the mount on which a path lies. Its
// errors are of type *os.PathError.
//
// Linux 5.8: statx(2), STATX_MNT_ID. Linux 6.8: STATX_MNT_ID_UNIQUE, an id that
// no later mount gets.
func MountID(path string) (uint64, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_MNT_ID|unix.STATX_MNT_ID_UNIQUE, &st); err != nil {
		return 0, &os.PathError{Op: "statx", Path: path, Err: err}
	}
	return st.Mnt_id, nil
}
