package rootfs

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/internal/tree"
)

// setMetadata gives a file that is held open, at least by O_PATH, what an entry
// has: owner, extended attributes, mode and times, in this order, for a change
// of owner takes capabilities and set-id bits away.
func setMetadata(fd int, e *tree.Entry) error {
	xattrs, err := e.Xattrs()
	if err != nil {
		return err
	}
	if err := setAll("/proc/self/fd/"+strconv.Itoa(fd), fd, &e.Stat, xattrs); err != nil {
		return fmt.Errorf("copying %s: %w", e.Path, err)
	}
	return nil
}

// setAll is setMetadata of values. proc is the descriptor as a path, for the
// calls that take no descriptor, or none of O_PATH.
func setAll(proc string, fd int, st *unix.Stat_t, xattrs map[string]string) error {
	if err := unix.Fchownat(fd, "", int(st.Uid), int(st.Gid), unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("setting the owner %d:%d: %w%s", st.Uid, st.Gid, err, ownerHint(err))
	}
	for _, key := range slices.Sorted(maps.Keys(xattrs)) {
		if key == labelXattr {
			continue
		}
		if err := unix.Setxattr(proc, key, []byte(xattrs[key]), 0); err != nil {
			return fmt.Errorf("setting xattr %s: %w", key, err)
		}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Chmod(proc, st.Mode&^unix.S_IFMT); err != nil {
			return fmt.Errorf("setting the mode: %w", err)
		}
	}
	times := []unix.Timespec{st.Mtim, st.Mtim}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, proc, times, 0); err != nil {
		return fmt.Errorf("setting the time: %w", err)
	}
	return nil
}

// labelXattr is a file's SELinux label. It is the machine's: a file that is
// made has one already.
const labelXattr = "security.selinux"

// ownerHint says why an owner cannot be set.
func ownerHint(err error) string {
	if err == unix.EINVAL {
		return " [the user namespace has no such id]"
	}
	return ""
}
