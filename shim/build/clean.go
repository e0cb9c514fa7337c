package build

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// clean removes what killed builds left of their containers: states and cgroups.
// Their processes and mounts have ended with them. Then it takes a name for this
// build, which is in use as long as this process lives.
func (b *builder) clean() error {
	dir := filepath.Join(b.o.Run, "builds")
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue // not yet locked
		}
		if err := b.cleanOne(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	b.id = "build-" + strings.ToLower(rand.Text()[:12])
	return b.register(dir)
}

// register locks this build's file, for as long as the process lives, before
// anybody else sees it.
func (b *builder) register(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, "."+b.id), os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	b.mine = f
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, b.id))
}

// cleanOne removes a build's containers and file, if its process has ended.
func (b *builder) cleanOne(path string) error {
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
	runtime := b.runtime()
	ids, err := runtime.IDs()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var errs []error
	for _, id := range ids {
		if strings.HasPrefix(id, filepath.Base(path)+"-") {
			errs = append(errs, runtime.ForceRemove(id))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return os.Remove(path)
}
