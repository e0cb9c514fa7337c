package diff

import (
	"errors"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Options say how a layer is made. The zero value takes everything as it is.
type Options struct {
	// UIDs and GIDs map the owners of the files (host) to those in the layer
	// (container), for a container with a user namespace; without them owners
	// stay. An owner whom they leave out is an error. Who works within the user
	// namespace needs none.
	UIDs, GIDs []specs.LinuxIDMapping
	// Exclude, where set, says of a path ("etc/hosts") that it is to be taken as
	// unchanged, with what is below it.
	Exclude func(path string) bool
	// Skipped, where set, is told what a layer cannot hold: sockets, and extended
	// attributes with certain names.
	Skipped func(path, what string)
}

// ErrWhiteoutName is the error for a file whose name would be a whiteout in a
// layer.
var ErrWhiteoutName = errors.New("a layer cannot hold a name that begins with .wh.")

// ErrChanged is the error for a file that became shorter while it was read.
var ErrChanged = errors.New("the file changed while it was read [pause the container]")

// excluded says whether a path is left out.
func (o *Options) excluded(path string) bool { return o.Exclude != nil && o.Exclude(path) }

// skipped reports what is left out.
func (o *Options) skipped(path, what string) {
	if o.Skipped != nil {
		o.Skipped(path, what)
	}
}

// owner is a file's owner in the layer.
func (o *Options) owner(uid, gid uint32) (int, int, error) {
	u, ok := mapped(o.UIDs, uid)
	if !ok {
		return 0, 0, fmt.Errorf("the mapping has no user for the id %d of the host", uid)
	}
	g, ok := mapped(o.GIDs, gid)
	if !ok {
		return 0, 0, fmt.Errorf("the mapping has no group for the id %d of the host", gid)
	}
	return int(u), int(g), nil
}

// mapped is the id in a container for one of the host.
func mapped(ids []specs.LinuxIDMapping, host uint32) (uint32, bool) {
	if len(ids) == 0 {
		return host, true
	}
	for _, m := range ids {
		if host >= m.HostID && uint64(host) < uint64(m.HostID)+uint64(m.Size) {
			return m.ContainerID + (host - m.HostID), true
		}
	}
	return 0, false
}
