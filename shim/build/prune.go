package build

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/rootfs"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/internal/diskusage"
)

// Cache is a directory that RUN --mount=type=cache left for other builds.
type Cache struct {
	Name string // of its directory
	Size int64  // in bytes, after its last use
	Used time.Time

	path string
}

// Caches are those of a store's root, the one that was used last first.
func Caches(root string) ([]Cache, error) {
	dir := filepath.Join(root, cacheDir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []Cache
	for _, e := range entries {
		name, isLock := strings.CutSuffix(e.Name(), lockSuffix)
		info, gone := e.Info()
		if !isLock || gone != nil {
			continue
		}
		c := Cache{Name: name, Used: info.ModTime(), path: filepath.Join(dir, name)}
		c.Size, gone = c.size()
		if gone == nil {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b Cache) int { return b.Used.Compare(a.Used) })
	return all, err
}

// size is what the last user has noted, or what there is where that was killed.
func (c *Cache) size() (int64, error) {
	text, err := os.ReadFile(c.path + lockSuffix)
	if err != nil {
		return 0, err
	}
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return n, nil
	}
	n, err := diskusage.Of(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return n, err
}

// PruneCaches removes those of a root's caches that were last used before a time, or
// are beyond so many bytes, those that were used last being counted first. What a
// build uses stays. It returns how many bytes were freed.
func PruneCaches(root string, before time.Time, keep int64) (freed int64, err error) {
	all, err := Caches(root)
	var kept int64
	for _, c := range all {
		if kept += c.Size; !c.Used.Before(before) && kept <= keep {
			continue
		}
		removed, failed := c.remove()
		if removed {
			kept, freed = kept-c.Size, freed+c.Size
		}
		err = errors.Join(err, failed)
	}
	return freed, err
}

// trim bounds what is kept for further builds.
func trim(ctx context.Context, s *store.Store, limit int64) error {
	if limit == 0 {
		return nil
	}
	_, err := PruneCaches(s.Root(), time.Time{}, limit)
	forgotten, failed := s.ForgetBeyond(ctx, limit)
	if forgotten > 0 {
		_, collecting := s.Collect(ctx)
		failed = errors.Join(failed, collecting)
	}
	return errors.Join(err, failed)
}

// remove removes a cache, unless it is in use. The lock is the last that goes, and
// whoever waits for it makes a new one.
func (c *Cache) remove() (bool, error) {
	lock, err := os.OpenFile(c.path+lockSuffix, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer lock.Close()
	var st unix.Stat_t
	if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil || unix.Fstat(int(lock.Fd()), &st) != nil || st.Nlink == 0 {
		return false, nil
	}
	if info, err := lock.Stat(); err != nil || !info.ModTime().Equal(c.Used) {
		return false, err // it was used meanwhile
	}
	// First out of sight, so that a kill leaves a cache whole or none.
	gone := filepath.Join(filepath.Dir(c.path), ".gone-"+c.Name)
	if err := rootfs.Remove(gone); err != nil {
		return false, err
	}
	if err := os.Rename(c.path, gone); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, errors.Join(rootfs.Remove(gone), os.Remove(c.path+lockSuffix))
}
