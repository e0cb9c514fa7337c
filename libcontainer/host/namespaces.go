package host

import (
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// Namespaces returns the kinds of namespaces that the kernel has, by its own
// names, sorted: "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts".
// It is not to be changed.
func Namespaces() []string { return namespaces() }

// HasNamespace tells whether the kernel has a kind of namespace. It looks for
// this one only, which is cheaper than [Namespaces].
func HasNamespace(name string) bool {
	var st unix.Stat_t
	return !forChildren(name) && unix.Lstat("/proc/self/ns/"+name, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK
}

var namespaces = sync.OnceValue(func() []string {
	entries, err := os.ReadDir("/proc/self/ns")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if !forChildren(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
})

// forChildren tells of a name that stands for a second view of a kind.
func forChildren(name string) bool { return strings.HasSuffix(name, "_for_children") }

// InUserNS tells whether this process is in a user namespace other than the
// first. Root there is not the machine's.
func InUserNS() bool { return inUserNS() }

var inUserNS = sync.OnceValue(func() bool {
	data, err := sys.ReadSmall("/proc/self/uid_map", make([]byte, 4096))
	return err == nil && !mapsEverything(string(data))
})

// mapsEverything tells whether a uid_map is the first user namespace's.
func mapsEverything(uidMap string) bool {
	return slices.Equal(strings.Fields(uidMap), []string{"0", "0", "4294967295"})
}
