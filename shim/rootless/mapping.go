package rootless

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Mapping is who the program is outside of its user namespace.
type Mapping struct {
	UID, GID uint32 // of whom root stands for
	OneID    bool   // nobody else has an id: files of others become root's
}

// Current is the mapping of the user namespace that the program is in. In the
// initial namespace root stands for itself.
func Current() (Mapping, error) {
	uid, one, err := readMap("/proc/self/uid_map")
	if err != nil {
		return Mapping{}, err
	}
	gid, _, err := readMap("/proc/self/gid_map")
	return Mapping{UID: uid, GID: gid, OneID: one}, err
}

// readMap reads who root is outside, and whether it is alone.
func readMap(file string) (root uint32, alone bool, err error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, false, err
	}
	return parseMap(file, string(data))
}

// parseMap is readMap of a text: lines of first id inside, first outside, count.
func parseMap(file, text string) (root uint32, alone bool, err error) {
	total := uint64(0)
	found := false
	for line := range strings.Lines(text) {
		var inside, outside, count uint32
		if _, err := fmt.Sscan(line, &inside, &outside, &count); err != nil {
			return 0, false, fmt.Errorf("reading %s: %w", file, err)
		}
		total += uint64(count)
		if inside == 0 {
			root, found = outside, true
		}
	}
	if !found {
		return 0, false, fmt.Errorf("reading %s: %w", file, errors.New("root has no id outside"))
	}
	return root, total == 1, nil
}
