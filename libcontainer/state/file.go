package state

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// The names in a container's directory.
const (
	fileName = "state.json"
	tempName = "state.json.new"
)

// maxSize bounds a state file, in bytes.
const maxSize = 32 << 20

// Load reads the state as it is now. [ErrIncomplete]: there is none yet, or
// what is there is no state.
func (d *Dir) Load() (*State, error) {
	f, err := d.openat(fileName, unix.O_RDONLY)
	if errors.Is(err, unix.ENOENT) {
		return nil, ErrIncomplete
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readBounded(f)
	if err != nil {
		return nil, err
	}
	return decode(data)
}

// Save replaces the state. A process killed meanwhile leaves the old state or
// the new one. Only the holder of the lock may call it.
func (d *Dir) Save(s *State) error {
	parts := encode(s)
	if n := size(parts); n > maxSize {
		return fmt.Errorf("writing %s/%s: %d bytes are too many, %d are allowed", d.Path(), fileName, n, maxSize)
	}
	if err := d.writeTemp(parts); err != nil {
		_ = unix.Unlinkat(int(d.file.Fd()), tempName, 0)
		return err
	}
	dir := int(d.file.Fd())
	return d.failure("rename", unix.Renameat(dir, tempName, dir, fileName))
}

func (d *Dir) writeTemp(parts [][]byte) error {
	f, err := d.openat(tempName, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC)
	if err != nil {
		return err
	}
	err = unix.Fchmod(int(f.Fd()), fileMode) // whatever the umask
	for i := 0; i < len(parts) && err == nil; i++ {
		_, err = f.Write(parts[i])
	}
	if err == nil && d.outlivesPower() {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func size(parts [][]byte) (n int) {
	for _, p := range parts {
		n += len(p)
	}
	return n
}

// outlivesPower tells whether the directory is on a file system that outlives
// a loss of power, so that a rename could overtake the data.
func (d *Dir) outlivesPower() bool {
	var st unix.Statfs_t
	if unix.Fstatfs(int(d.file.Fd()), &st) != nil {
		return true
	}
	return st.Type != unix.TMPFS_MAGIC && st.Type != unix.RAMFS_MAGIC
}

func (d *Dir) openat(name string, flags int) (*os.File, error) {
	fd, err := sys.RetryValue(func() (int, error) {
		return unix.Openat(int(d.file.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, fileMode)
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: d.Path() + "/" + name, Err: err}
	}
	return os.NewFile(uintptr(fd), d.Path()+"/"+name), nil
}

func readBounded(f *os.File) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, &os.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > maxSize {
		return nil, fmt.Errorf("%w: %s is no file of at most %d bytes", ErrIncomplete, f.Name(), maxSize)
	}
	data := make([]byte, st.Size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.Name(), err)
	}
	return data, nil
}
