package state

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// dirMode is a container's directory's, fileMode that of every file in it.
const (
	dirMode  = 0o700
	fileMode = 0o600
)

// Dir is the directory of one container.
type Dir struct {
	root *os.File // O_PATH
	file *os.File
	id   string
}

// Create claims the id below root, which is made if need be, and saves s. The
// Dir comes locked. [ErrExist]: the id is taken, also by an incomplete
// container.
func Create(root, id string, s *State) (*Dir, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	r, err := openRoot(root, MakeRoot)
	if err != nil {
		return nil, err
	}
	d, err := claim(r, id)
	if err != nil {
		r.Close()
		return nil, err
	}
	if err := d.Save(s); err != nil {
		return nil, errors.Join(err, d.Remove())
	}
	return d, nil
}

// Open returns the container's directory and what is known of it, without
// waiting for the lock. [ErrNotExist]: there is no such container. With
// [ErrIncomplete] the Dir is valid: it can be locked and removed.
func Open(root, id string) (*Dir, *State, error) {
	d, err := open(root, id)
	if err != nil {
		return nil, nil, err
	}
	return d.loadOrClose()
}

// File is the directory's descriptor, for sockets to stand in it. It is the
// Dir's: not to be closed.
func (d *Dir) File() *os.File { return d.file }

// Path is where the directory is.
func (d *Dir) Path() string { return d.file.Name() }

// Close gives the descriptors, and with them the lock, back.
func (d *Dir) Close() error {
	return errors.Join(d.file.Close(), d.root.Close())
}

// Lock waits until no other process holds the container's lock, and takes it.
// The lock ends with [Dir.Unlock], [Dir.Close] or the process. [ErrNotExist]:
// the container was removed meanwhile.
func (d *Dir) Lock() error {
	err := sys.Retry(func() error { return unix.Flock(int(d.file.Fd()), unix.LOCK_EX) })
	if err != nil {
		return d.failure("flock", err)
	}
	return d.checkLinked()
}

// TryLock is [Dir.Lock] that does not wait: it tells whether it took the lock.
func (d *Dir) TryLock() (bool, error) {
	err := unix.Flock(int(d.file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == unix.EWOULDBLOCK {
		return false, nil
	}
	if err != nil {
		return false, d.failure("flock", err)
	}
	return true, d.checkLinked()
}

// Unlock gives the lock back.
func (d *Dir) Unlock() error {
	return d.failure("flock", unix.Flock(int(d.file.Fd()), unix.LOCK_UN))
}

// claim makes the directory id below root, and takes its lock. Whoever finds a
// directory that nobody holds may take it for a dead creator's, and remove it
// before the lock is taken: then it is made again.
func claim(root *os.File, id string) (*Dir, error) {
	for {
		if err := makeDir(root, id); err != nil {
			return nil, err
		}
		d, err := openat(root, id)
		if err == nil {
			if err = d.Lock(); err == nil {
				return d, nil
			}
			d.file.Close()
		}
		if err != ErrNotExist {
			return nil, err
		}
	}
}

func makeDir(root *os.File, id string) error {
	rootfd := int(root.Fd())
	err := unix.Mkdirat(rootfd, id, dirMode)
	if err == unix.EEXIST {
		return ErrExist
	}
	if err == nil {
		err = unix.Fchmodat(rootfd, id, dirMode, 0) // whatever the umask
	}
	if err != nil && err != unix.ENOENT {
		return &os.PathError{Op: "mkdir", Path: root.Name() + "/" + id, Err: err}
	}
	return nil
}

func open(root, id string) (*Dir, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	r, err := openRoot(root, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	d, err := openat(r, id)
	if err != nil {
		r.Close()
	}
	return d, err
}

func openat(root *os.File, id string) (*Dir, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	path := root.Name() + "/" + id
	fd, err := sys.RetryValue(func() (int, error) { return unix.Openat(int(root.Fd()), id, flags, 0) })
	if err == unix.ENOENT {
		return nil, ErrNotExist
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return &Dir{root, os.NewFile(uintptr(fd), path), id}, nil
}

func (d *Dir) loadOrClose() (*Dir, *State, error) {
	s, err := d.Load()
	if err != nil && !errors.Is(err, ErrIncomplete) {
		d.Close()
		return nil, nil, err
	}
	return d, s, err
}

// checkLinked returns ErrNotExist where the directory was removed: whoever
// waited for the lock of a removed container got it, and nothing with it.
func (d *Dir) checkLinked() error {
	var st unix.Stat_t
	if err := unix.Fstat(int(d.file.Fd()), &st); err != nil {
		return d.failure("stat", err)
	}
	if st.Nlink == 0 {
		return ErrNotExist
	}
	return nil
}

func (d *Dir) failure(op string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: d.Path(), Err: err}
}
