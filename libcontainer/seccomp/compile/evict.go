package compile

import (
	"encoding/hex"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// maxEntries bounds the cache, in files.
const maxEntries = 64

// cacheFile is a file of the cache's directory.
type cacheFile struct {
	name string
	time int64 // last written, in nanoseconds
}

// evict removes the oldest files until the bound holds. What a killed process
// left half written counts and ages like an entry; files that are not named
// like one are not ours to remove. Another process may do the same at the
// same time: then both choose the same files.
func evict(dirfd int) {
	files, err := cacheFiles(dirfd)
	if err != nil || len(files) <= maxEntries {
		return
	}
	slices.SortFunc(files, func(a, b cacheFile) int { return int(min(1, max(-1, a.time-b.time))) })
	for _, file := range files[:len(files)-maxEntries] {
		_ = unix.Unlinkat(dirfd, file.name, 0)
	}
}

// cacheFiles lists the directory. The descriptor has not been read from.
func cacheFiles(dirfd int) ([]cacheFile, error) {
	names, err := readNames(dirfd)
	if err != nil || len(names) <= maxEntries {
		return nil, err
	}
	files := make([]cacheFile, 0, len(names))
	for _, name := range names {
		var st unix.Stat_t
		if unix.Fstatat(dirfd, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			files = append(files, cacheFile{name, st.Mtim.Nano()})
		}
	}
	return files, nil
}

// readNames reads the names of the cache's own files.
func readNames(dirfd int) ([]string, error) {
	var names []string
	buf := make([]byte, 16<<10)
	for {
		n, err := unix.ReadDirent(dirfd, buf)
		if err != nil || n <= 0 {
			return slices.DeleteFunc(names, notEntry), err
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

// notEntry says whether a name is not that of an entry or a half-written one.
func notEntry(name string) bool {
	key, _, _ := strings.Cut(name, ".")
	sum, err := hex.DecodeString(key)
	return err != nil || len(sum) != 32
}
