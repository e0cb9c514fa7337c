package host

import (
	"os"
	"slices"
	"strings"
	"sync"
)

// Namespaces returns the kinds of namespaces that the kernel has, by its own
// names, sorted: "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts".
// It is not to be changed.
func Namespaces() []string { return namespaces() }

// HasNamespace tells whether the kernel has a kind of namespace.
func HasNamespace(name string) bool { return slices.Contains(namespaces(), name) }

var namespaces = sync.OnceValue(func() []string {
	entries, err := os.ReadDir("/proc/self/ns")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "_for_children") {
			names = append(names, e.Name())
		}
	}
	return names
})

// InUserNS tells whether this process is in a user namespace other than the
// first. Root there is not the machine's.
func InUserNS() bool { return inUserNS() }

var inUserNS = sync.OnceValue(func() bool {
	data, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && !mapsEverything(string(data))
})

// mapsEverything tells whether a uid_map is the first user namespace's.
func mapsEverything(uidMap string) bool {
	return slices.Equal(strings.Fields(uidMap), []string{"0", "0", "4294967295"})
}
