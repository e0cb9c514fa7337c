package host

import (
	"slices"
	"strings"
	"sync"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

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
