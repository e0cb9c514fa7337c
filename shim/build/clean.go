package build

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer"
)

// Sweep removes what killed builds left of their containers: states, cgroups and networks. Their
// processes and mounts have ended with them. root is the store's; run and rootless are as
// in Options.
func Sweep(root, run string, rootless bool) error {
	dir, err := openBuilds(run)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	return sweep(dir, root, runtimeIn(run, rootless))
}

// openBuilds opens the directory with a file for each build, locked, so that nobody
// looks at a file that is about to be locked.
func openBuilds(run string) (*os.File, error) {
	dir, err := os.Open(filepath.Join(run, "builds"))
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// register sweeps, and takes a name for this build, whose file is locked as long as
// this process lives.
func (b *builder) register() error {
	if err := os.MkdirAll(filepath.Join(b.o.Run, "builds"), 0o711); err != nil {
		return err
	}
	dir, err := openBuilds(b.o.Run)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := sweep(dir, b.o.Store.Root(), b.runtime()); err != nil {
		return err
	}
	b.id = "build-" + strings.ToLower(rand.Text()[:12])
	b.mine, err = os.OpenFile(filepath.Join(dir.Name(), b.id), os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	return unix.Flock(int(b.mine.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

func sweep(dir *os.File, root string, r *libcontainer.Runtime) error {
	names, err := dir.Readdirnames(-1)
	errs := []error{err}
	for _, name := range names {
		errs = append(errs, sweepOne(filepath.Join(dir.Name(), name), root, r))
	}
	return errors.Join(errs...)
}

// sweepOne removes a build's containers and file, if its process has ended.
func sweepOne(path, root string, r *libcontainer.Runtime) error {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil
	}
	ids, err := r.IDs()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	errs := []error{detachDead(root, filepath.Base(path))}
	for _, id := range ids {
		if strings.HasPrefix(id, filepath.Base(path)+"-") {
			errs = append(errs, r.ForceRemove(id))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return os.Remove(path)
}
