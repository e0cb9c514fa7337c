package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/shim/internal/diskusage"
)

// cacheDir is the directory of caches in the store's root. A cache is a directory
// there, NAME, beside NAME.lock, which its users have locked and which says how
// large it was after the last use; its time is that of the last use.
const cacheDir = "build-caches"

// cache is a directory for RUN --mount=type=cache that this build has.
type cache struct{ tree, lock *os.File }

// openCaches opens the caches of a RUN, each once. They are locked in the order of
// their IDs, so that no two builds, or stages, wait for each other.
func (p *prepared) openCaches(ctx context.Context, out *mounted) error {
	wanted := map[string]*bound{}
	for i := range p.mounts {
		m := &p.mounts[i]
		if m.Type != "cache" {
			continue
		}
		if other := wanted[m.ID]; other == nil || strictness(m.Sharing) > strictness(other.Sharing) {
			wanted[m.ID] = m
		}
	}
	out.caches = map[string]*cache{}
	for _, id := range slices.Sorted(maps.Keys(wanted)) {
		c, err := openCache(ctx, p.m.b.work, p.m.b.o.Store.Root(), wanted[id])
		if err != nil {
			return fmt.Errorf("cache mount on %s: %w", wanted[id].Target, err)
		}
		out.caches[id] = c
		out.undo = append(out.undo, c.close)
	}
	return nil
}

// strictness orders the ways of sharing.
func strictness(sharing string) int { return slices.Index([]string{"private", "locked"}, sharing) }

// openCache opens a cache: one that is shared, or that nobody else has now.
func openCache(ctx context.Context, work *store.Work, root string, m *bound) (*cache, error) {
	dir := filepath.Join(root, cacheDir)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	sum := sha256.Sum256([]byte(m.ID))
	how, wait := unix.LOCK_SH, true
	switch m.Sharing {
	case "locked":
		how = unix.LOCK_EX
	case "private":
		how, wait = unix.LOCK_EX, false
	}
	for n := 0; ; {
		name := filepath.Join(dir, hex.EncodeToString(sum[:])+"-"+strconv.Itoa(n))
		lock, err := lockCache(ctx, name, how, wait)
		switch {
		case errors.Is(err, errCollected):
			continue
		case errors.Is(err, unix.EWOULDBLOCK): // private: the next one
			n++
			continue
		case err != nil:
			return nil, err
		}
		tree, err := makeCache(work, name, m)
		if err != nil {
			return nil, errors.Join(err, lock.Close())
		}
		return &cache{tree, lock}, nil
	}
}

// errCollected is that a cache was removed while it was waited for.
var errCollected = errors.New("the cache was removed")

// lockCache locks a cache, and notes that it is used.
func lockCache(ctx context.Context, name string, how int, wait bool) (*os.File, error) {
	lock, err := os.OpenFile(name+lockSuffix, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err = lockFile(ctx, lock, how, wait); err == nil {
		err = usedNow(lock)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// lockSuffix is behind a cache's name in that of its lock.
const lockSuffix = ".lock"

// usedNow sets a lock's time.
func usedNow(lock *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(lock.Fd()), &st); err != nil {
		return err
	}
	if st.Nlink == 0 {
		return errCollected
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, procPath(lock), nil, 0)
}

// lockFile locks a file. It waits for other builds, unless ctx ends first.
func lockFile(ctx context.Context, f *os.File, how int, wait bool) error {
	if !wait {
		return unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	}
	done := make(chan error, 1)
	fd := int(f.Fd())
	go func() { done <- unix.Flock(fd, how) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// makeCache makes a cache's directory, whole or not at all, and opens it.
func makeCache(work *store.Work, name string, m *bound) (*os.File, error) {
	if _, err := os.Lstat(name); errors.Is(err, os.ErrNotExist) {
		temp, err := work.Scratch()
		if err != nil {
			return nil, err
		}
		err = errors.Join(os.Chown(temp, orZero(m.UID), orZero(m.GID)), os.Chmod(temp, fileMode(m.Mode, newDirMode)))
		if err == nil {
			err = os.Rename(temp, name)
		}
		if errors.Is(err, os.ErrExist) || errors.Is(err, unix.ENOTEMPTY) {
			err = nil // another build was quicker
		}
		if err != nil {
			return nil, err
		}
	}
	return os.OpenFile(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
}

// close notes how large the cache is now, and lets go of it.
func (c *cache) close() error {
	size, err := diskusage.Of(procPath(c.tree))
	if err == nil {
		err = writeSize(c.lock, size)
	}
	return errors.Join(err, c.tree.Close(), c.lock.Close())
}

// sizeDigits is how many a size has in a lock: users of a shared cache may write at
// the same time.
const sizeDigits = 20

func writeSize(lock *os.File, size int64) error {
	_, err := lock.WriteAt(fmt.Appendf(nil, "%0*d", sizeDigits, size), 0)
	return errors.Join(err, usedNow(lock))
}
