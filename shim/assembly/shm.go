package assembly

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/config"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/options"
)

// shmPlace is where a container has its shared memory.
const shmPlace = "/dev/shm"

// shmDir is the shared memory of a container that shares it: a mount of the host's
// while the container runs.
func shmDir(c *container.Container) string { return filepath.Join(c.Dir(), "shm") }

// shm gives a container that shares its shared memory a /dev/shm that others find.
func (b *building) shm() error {
	if b.record().IPC != options.Shareable {
		return nil
	}
	b.record().ShmSize = b.Options.ShmSize
	if err := os.Mkdir(shmDir(b.Container), 0o700); err != nil {
		return err
	}
	addShm(&b.Options.Options, shmDir(b.Container))
	return nil
}

// addShm mounts the shared memory that is at source, unless something else is to be
// mounted there.
func addShm(o *config.Options, source string) {
	given := func(m specs.Mount) bool { return path.Join("/", m.Destination) == shmPlace }
	if !slices.ContainsFunc(o.Mounts, given) {
		o.Mounts = append(o.Mounts, bind(source, shmPlace, "rw", "nosuid", "nodev", "noexec"))
	}
}

// mountShm is before a start.
func mountShm(c *container.Container) error {
	if c.Config.IPC != options.Shareable {
		return nil
	}
	if is, err := mounted(shmDir(c)); err != nil || is {
		return err
	}
	size := c.Config.ShmSize
	if size == 0 {
		size = config.DefaultShm
	}
	err := unix.Mount("shm", shmDir(c), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=1777,size="+strconv.FormatInt(size, 10))
	if err != nil {
		return fmt.Errorf("mounting the container's shared memory: %w", err)
	}
	return nil
}

// unmountShm is after the end: others who have it keep it for as long as they run.
func unmountShm(c *container.Container) error {
	if c.Config.IPC != options.Shareable {
		return nil
	}
	is, err := mounted(shmDir(c))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !is {
		return nil
	}
	if err == nil {
		err = unix.Unmount(shmDir(c), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	}
	if err != nil {
		return fmt.Errorf("unmounting the container's shared memory: %w", err)
	}
	return nil
}

// mounted tells whether something is mounted on a directory.
func mounted(dir string) (bool, error) {
	var own, parent unix.Stat_t
	if err := unix.Lstat(dir, &own); err != nil {
		return false, &fs.PathError{Op: "lstat", Path: dir, Err: err}
	}
	if err := unix.Lstat(filepath.Dir(dir), &parent); err != nil {
		return false, &fs.PathError{Op: "lstat", Path: dir, Err: err}
	}
	return own.Dev != parent.Dev, nil
}
