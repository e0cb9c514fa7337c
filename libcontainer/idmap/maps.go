package idmap

import (
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Maps is the mappings of one user namespace.
//
// Spec: config-linux.md#user-namespace-mappings
type Maps struct {
	UIDs, GIDs []specs.LinuxIDMapping
}

// How is a way to write one kind's mappings.
type How int

const (
	// Direct writes them to /proc, which needs CAP_SETUID and CAP_SETGID.
	Direct How = iota
	// Self writes the caller's own id, and no other, to /proc without
	// privileges. For gids, setgroups(2) is denied in the namespace for ever.
	Self
	// Helper runs newuidmap or newgidmap, which allow what /etc/subuid and
	// /etc/subgid name.
	Helper
)

// Ways are how the uids and the gids are written.
type Ways struct{ UIDs, GIDs How }

// Choose returns how a process with the effective capabilities caps (a bit for
// each) and the ids euid and egid can write m.
func Choose(m Maps, caps uint64, euid, egid int) Ways {
	return Ways{choose(m.UIDs, caps>>unix.CAP_SETUID, euid), choose(m.GIDs, caps>>unix.CAP_SETGID, egid)}
}

// choose takes in bit 0 of held whether the kind's capability is held.
func choose(ids []specs.LinuxIDMapping, held uint64, own int) How {
	switch {
	case held&1 != 0:
		return Direct
	case isOnly(ids, own):
		return Self
	}
	return Helper
}

// isOnly tells whether ids maps one id, and that is own.
func isOnly(ids []specs.LinuxIDMapping, own int) bool {
	return len(ids) == 1 && ids[0].Size == 1 && int64(ids[0].HostID) == int64(own)
}

// lines is the mapping as the kernel reads it.
func lines(ids []specs.LinuxIDMapping) string {
	var b []byte
	for _, m := range ids {
		b = appendIDs(b, m, ' ')
		b = append(b, '\n')
	}
	return string(b)
}

// text is the mapping for a reader, "0:100000:65536,65536:1000:1".
func text(ids []specs.LinuxIDMapping) string {
	var b []byte
	for i, m := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendIDs(b, m, ':')
	}
	return string(b)
}

func appendIDs(b []byte, m specs.LinuxIDMapping, sep byte) []byte {
	b = strconv.AppendUint(b, uint64(m.ContainerID), 10)
	b = strconv.AppendUint(append(b, sep), uint64(m.HostID), 10)
	return strconv.AppendUint(append(b, sep), uint64(m.Size), 10)
}
