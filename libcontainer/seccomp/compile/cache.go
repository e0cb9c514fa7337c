package compile

import (
	"crypto/rand"
	"crypto/sha256"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/seccomp"
)

// cacheEntry is the place of one filter in the cache.
type cacheEntry struct {
	dir   string // "" for no cache
	key   string // the file's name
	stamp [sha256.Size]byte
}

// load reads the entry in four system calls. Anything but a sound file of our
// own is no entry; nothing is followed, waited for, or read without bound.
func (e cacheEntry) load() (seccomp.Filter, bool) {
	if e.dir == "" {
		return seccomp.Filter{}, false
	}
	const flags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY
	fd, err := unix.Open(e.dir+"/"+e.key, flags, 0)
	if err != nil {
		return seccomp.Filter{}, false
	}
	defer unix.Close(fd)
	data, ok := readOwn(fd)
	if !ok {
		return seccomp.Filter{}, false
	}
	filter, err := seccomp.Decode(data, e.stamp)
	return filter, err == nil
}

// readOwn reads a whole regular file of bounded size which belongs to us and
// which nobody else can write.
func readOwn(fd int) ([]byte, bool) {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || !private(&st) {
		return nil, false
	}
	if st.Size <= 0 || st.Size > int64(seccomp.MaxEncoded) {
		return nil, false
	}
	data := make([]byte, st.Size)
	n, err := unix.Read(fd, data)
	return data, err == nil && n == len(data)
}

// private says whether only the effective user can write.
func private(st *unix.Stat_t) bool {
	return st.Uid == uint32(unix.Geteuid()) && st.Mode&0o022 == 0
}

// store puts the entry into the cache: written under a name of its own, then
// renamed, so that a reader finds it whole or not at all. It is a cache: where
// it cannot be written, nothing is lost but time, and after a power failure
// the checksum tells.
func (e cacheEntry) store(filter seccomp.Filter) {
	if e.dir == "" {
		return
	}
	dirfd, err := openCacheDir(e.dir)
	if err != nil {
		return
	}
	defer unix.Close(dirfd)
	temp := e.key + "." + rand.Text()
	if writeFile(dirfd, temp, filter.Encode(e.stamp)) != nil || unix.Renameat(dirfd, temp, dirfd, e.key) != nil {
		_ = unix.Unlinkat(dirfd, temp, 0)
		return
	}
	evict(dirfd)
}

// openCacheDir makes the directory where it is missing, and opens it if it is
// ours alone.
func openCacheDir(dir string) (int, error) {
	if err := unix.Mkdir(dir, 0o700); err != nil && err != unix.EEXIST {
		return -1, err
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || !private(&st) {
		unix.Close(fd)
		return -1, unix.EPERM
	}
	return fd, nil
}

// writeFile writes a new file, readable by its owner.
func writeFile(dirfd int, name string, data []byte) error {
	fd, err := unix.Openat(dirfd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	n, err := unix.Write(fd, data)
	if err == nil && n < len(data) {
		err = unix.ENOSPC
	}
	if closeErr := unix.Close(fd); err == nil {
		err = closeErr
	}
	return err
}
