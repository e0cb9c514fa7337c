package layer

import (
	"fmt"
	"time"
	"unsafe"

	"github.com/davit-containers/davit/bundle/layer/tarstream"
	"golang.org/x/sys/unix"
)

// stamp is a time as files have it.
type stamp = unix.Timespec

func stampOf(t time.Time) stamp {
	return stamp{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}

// metaOf is what an entry says about its file.
func (o *Options) metaOf(e *tarstream.Entry) (meta, error) {
	who, err := o.owner(e.UID, e.GID)
	if err != nil {
		return meta{}, err
	}
	m := meta{owner: who, mode: uint32(e.Mode & 0o7777), mtime: stampOf(e.Mtime)}
	m.atime = m.mtime
	if !e.Atime.IsZero() {
		m.atime = stampOf(e.Atime)
	}
	m.xattrs, err = o.xattrsOf(e)
	return m, err
}

// chown gives an open file to its owner, if that is another than who made it.
func (u *unpacker) chown(fd int, who owner) (changed bool, err error) {
	if u.o.OneOwner || who == u.self {
		return false, nil
	}
	if err := unix.Fchown(fd, who.uid, who.gid); err != nil {
		return false, chownError(who, err)
	}
	return true, nil
}

func chownError(who owner, err error) error {
	hint := ""
	if err == unix.EINVAL {
		hint = " (hint: the user namespace has no such id; more subordinate ids in /etc/subuid and /etc/subgid)"
	}
	return fmt.Errorf("changing owner to %d:%d: %w%s", who.uid, who.gid, err, hint)
}

// setTimes sets the times of an open file.
func setTimes(fd int, atime, mtime stamp) error {
	times := [2]stamp{atime, mtime}
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("setting times: %w", errno)
	}
	return nil
}

// setTimesOfPath sets the times of an O_PATH descriptor's file.
// Linux 5.8: AT_EMPTY_PATH.
func setTimesOfPath(fd int, atime, mtime stamp) error {
	if err := unix.UtimesNanoAt(fd, "", []stamp{atime, mtime}, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("setting times: %w", err)
	}
	return nil
}
