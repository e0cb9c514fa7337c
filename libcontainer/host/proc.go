package host

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// procRootIno is the inode number of a procfs's root, PROC_ROOT_INO.
const procRootIno = 1

// Proc returns an O_PATH descriptor of /proc, which is certain to be the root
// of a procfs. It is the package's: not to be closed.
//
// CVE-2019-16884, CVE-2025-52881: what is written to a file of procfs must not
// go to a file that lies over it.
func Proc() (*os.File, error) { return proc() }

var proc = sync.OnceValues(func() (*os.File, error) { return openProc("/proc") })

func openProc(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	if err := checkProc(fd); err != nil {
		f.Close()
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return f, nil
}

func checkProc(fd int) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if fs.Type != unix.PROC_SUPER_MAGIC || st.Ino != procRootIno {
		return errors.New("not the root of a procfs")
	}
	return nil
}
