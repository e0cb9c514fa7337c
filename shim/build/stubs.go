package build

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// stubs are the places for mounts that the root file system did not have. They are
// made beforehand, so that it is known which they are, and removed afterwards if
// they still are what was made, and empty.
// CVE-2024-23652: what a program had put there instead was removed, on the host.
type stubs struct {
	root *os.File
	made []stub // those above before those in them
}

// stub is one file or directory.
type stub struct {
	dir      *os.File
	name     string
	dev, ino uint64
	isDir    bool
}

// make makes the place for a mount.
func (s *stubs) make(m specs.Mount) error {
	isDir := m.Type != "bind"
	if !isDir {
		info, err := os.Stat(m.Source)
		if err != nil {
			return err
		}
		isDir = info.IsDir()
	}
	at := "/"
	parts := strings.Split(strings.Trim(m.Destination, "/"), "/")
	for i, part := range parts {
		if done, err := s.makePart(at, part, isDir || i < len(parts)-1); done || err != nil {
			return err
		}
		at = path.Join(at, part)
	}
	return nil
}

// makePart makes one name unless it is there. What is no directory on the way is
// for the runtime to refuse: done.
func (s *stubs) makePart(at, name string, isDir bool) (done bool, err error) {
	dir, err := openDir(s.root, at)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	before, err := times(dir)
	if err == nil {
		err = makeStub(dir, name, isDir)
	}
	if err == unix.EEXIST {
		return false, dir.Close()
	}
	made := stub{dir: dir, name: name, isDir: isDir}
	if err == nil {
		var st unix.Stat_t
		err = unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW)
		made.dev, made.ino = st.Dev, st.Ino
	}
	if err != nil {
		return false, errors.Join(err, dir.Close())
	}
	s.made = append(s.made, made)
	return false, setBack(dir, before)
}

// makeStub makes an empty directory or file.
func makeStub(dir *os.File, name string, isDir bool) error {
	if isDir {
		return unix.Mkdirat(int(dir.Fd()), name, newDirMode)
	}
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// remove removes what was made and is still empty, the innermost first.
func (s *stubs) remove() error {
	var errs []error
	for i := len(s.made) - 1; i >= 0; i-- {
		errs = append(errs, s.made[i].remove(), s.made[i].dir.Close())
	}
	s.made = nil
	return errors.Join(errs...)
}

func (s *stub) remove() error {
	var st unix.Stat_t
	err := unix.Fstatat(int(s.dir.Fd()), s.name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil || st.Dev != s.dev || st.Ino != s.ino || !s.isDir && st.Size > 0 {
		return nil // it has gone, or is another one
	}
	before, err := times(s.dir)
	if err != nil {
		return err
	}
	flags := 0
	if s.isDir {
		flags = unix.AT_REMOVEDIR
	}
	err = unix.Unlinkat(int(s.dir.Fd()), s.name, flags)
	if err == unix.ENOTEMPTY || err == unix.EEXIST || err == unix.ENOENT {
		return nil
	}
	return errors.Join(err, setBack(s.dir, before))
}

// times are when a directory was changed: making and removing a stub is no change
// of the step's.
func times(dir *os.File) ([]unix.Timespec, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(dir.Fd()), &st)
	return []unix.Timespec{st.Atim, st.Mtim}, err
}

func setBack(dir *os.File, to []unix.Timespec) error {
	return unix.UtimesNanoAt(unix.AT_FDCWD, procPath(dir), to, 0)
}
