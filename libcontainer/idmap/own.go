package idmap

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Own is the largest mapping that a user without rights may have: the user is
// root, and the ids from 1 on are the ranges that /etc/subuid and /etc/subgid
// allow. Without a range in both of them it is the user alone.
func Own(euid, egid int) (Maps, error) {
	m := Maps{own(euid), own(egid)}
	more, err := subordinate(uids.allowed)
	if err != nil {
		return m, err
	}
	moreGroups, err := subordinate(gids.allowed)
	if err != nil || len(more) == 0 || len(moreGroups) == 0 {
		return m, err
	}
	return Maps{append(m.UIDs, more...), append(m.GIDs, moreGroups...)}, nil
}

// own maps root to one id.
func own(id int) []specs.LinuxIDMapping {
	return []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(id), Size: 1}}
}

// subordinate maps the ids from 1 on to the ranges that a file allows.
func subordinate(file string) ([]specs.LinuxIDMapping, error) {
	ranges, err := allowedRanges(file)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	var ids []specs.LinuxIDMapping
	next := uint64(1)
	for _, r := range ranges {
		first, count, _ := strings.Cut(r, ":")
		start, startErr := strconv.ParseUint(first, 10, 32)
		size, sizeErr := strconv.ParseUint(count, 10, 32)
		if startErr != nil || sizeErr != nil || start+size > 1<<32 {
			return nil, fmt.Errorf("reading %s: %q is no range of ids", file, r)
		}
		if size == 0 || next+size > 1<<32-1 {
			continue
		}
		ids = append(ids, specs.LinuxIDMapping{ContainerID: uint32(next), HostID: uint32(start), Size: uint32(size)})
		next += size
	}
	return ids, nil
}
