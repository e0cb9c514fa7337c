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

// How is a way to write mappings.
type How int

const (
	// Direct writes them to /proc, which needs CAP_SETUID and CAP_SETGID.
	Direct How = iota
	// Self writes them to /proc without privileges: the caller's own uid and
	// gid, one each. setgroups(2) is denied in the namespace for ever.
	Self
	// Helpers runs newuidmap and newgidmap, which allow what /etc/subuid and
	// /etc/subgid name.
	Helpers
)

// Choose returns how a process with the effective capabilities caps (a bit for
// each) and the ids euid and egid can write m.
func Choose(m Maps, caps uint64, euid, egid int) How {
	const needed = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID
	switch {
	case caps&needed == needed:
		return Direct
	case isOnly(m.UIDs, euid) && isOnly(m.GIDs, egid):
		return Self
	}
	return Helpers
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
