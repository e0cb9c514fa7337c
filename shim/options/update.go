package options

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"
)

// Update are the flags on limits alone, for a container that is there.
type Update struct{ limits limits }

// Add adds the flags to a set.
func (u *Update) Add(fs *pflag.FlagSet) {
	u.limits.add(fs)
	for _, name := range []string{"memory-swappiness", "oom-kill-disable", "device-read-bps", "device-write-bps", "device-read-iops", "device-write-iops"} {
		_ = fs.MarkHidden(name) // Compat(moby): its update has none of them
	}
}

// Resources are what the flags say: what is nil stays as it is.
func (u *Update) Resources() (specs.LinuxResources, error) {
	w := &Wanted{}
	err := u.limits.wanted(w)
	return w.Resources, err
}
