package volume

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// setAll gives a file of the copy the owner, extended attributes, mode and times
// of its source, in this order: a new owner takes capabilities and the set-id
// bits away. Both may be O_PATH descriptors.
func setAll(source, dest *os.File, st *unix.Stat_t) error {
	fd := int(dest.Fd())
	if err := unix.Fchownat(fd, "", int(st.Uid), int(st.Gid), unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return os.NewSyscallError("chown", err)
	}
	if err := copyXattrs(source, dest); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Chmod(procPath(dest), st.Mode&0o7777); err != nil {
			return os.NewSyscallError("chmod", err)
		}
	}
	times := []unix.Timespec{st.Atim, st.Mtim}
	err := unix.UtimesNanoAt(fd, "", times, unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW)
	return os.NewSyscallError("utimensat", err)
}

// leftOut are the beginnings of attributes that belong to the place of a file,
// not to the file: overlayfs's own, and labels of the system.
var leftOut = []string{"trusted.overlay.", "user.overlay.", "security.selinux", "security.ima", "security.evm"}

// maxXattr is how long a list of names, or a value, may be: as long as the
// kernel allows.
const maxXattr = 64 << 10

// copyXattrs copies extended attributes, with them access control lists and
// file capabilities. A file system without them has none to be copied to.
func copyXattrs(source, dest *os.File) error {
	path := procPath(source)
	if n, err := unix.Listxattr(path, nil); err == unix.ENOTSUP || err == nil && n == 0 {
		return nil
	}
	list := make([]byte, maxXattr)
	n, err := unix.Listxattr(path, list)
	if err != nil || n == 0 {
		return os.NewSyscallError("listxattr", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(list[:n]), "\x00"), "\x00") {
		if err := copyXattr(source, dest, name); err != nil {
			return err
		}
	}
	return nil
}

func copyXattr(source, dest *os.File, name string) error {
	for _, beginning := range leftOut {
		if strings.HasPrefix(name, beginning) {
			return nil
		}
	}
	value := make([]byte, maxXattr)
	n, err := unix.Getxattr(procPath(source), name, value)
	if err == unix.ENODATA {
		return nil // it was removed meanwhile
	}
	if err != nil {
		return os.NewSyscallError("getxattr", err)
	}
	if err := unix.Setxattr(procPath(dest), name, value[:n], 0); err != nil && err != unix.ENOTSUP {
		return os.NewSyscallError("setxattr", err)
	}
	return nil
}
