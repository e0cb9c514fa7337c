package layer

import (
	"fmt"
	"math"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// owner is whom a file belongs to, on the host.
type owner struct{ uid, gid int }

// owner maps the owner that a layer names.
func (o *Options) owner(uid, gid int64) (owner, error) {
	u, err := mapID("uid", uid, o.UIDs)
	if err != nil {
		return owner{}, err
	}
	g, err := mapID("gid", gid, o.GIDs)
	return owner{u, g}, err
}

// mapID maps one id. The highest that a file can have is 2^32-2: the next means
// "leave it as it is", and what follows would be cut off to root's.
func mapID(what string, id int64, maps []specs.LinuxIDMapping) (int, error) {
	if id < 0 || id >= math.MaxUint32 {
		return 0, fmt.Errorf("%w: %s %d is out of range", ErrInvalid, what, id)
	}
	if maps == nil {
		return int(id), nil
	}
	for _, m := range maps {
		if first := int64(m.ContainerID); id >= first && id < first+int64(m.Size) {
			if host := int64(m.HostID) + id - first; host < math.MaxUint32 {
				return int(host), nil
			}
		}
	}
	return 0, fmt.Errorf("%s %d has no place in the mapping (hint: more subordinate ids in /etc/sub%s)", what, id, what)
}
