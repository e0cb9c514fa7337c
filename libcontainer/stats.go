package libcontainer

import (
	"github.com/opencontainers/cgroups"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer/intelrdt"
	"github.com/davit-containers/davit/libcontainer/netdev"
)

// Stats is what a container has used.
type Stats struct {
	Cgroup   *cgroups.Stats
	IntelRdt *intelrdt.Stats // nil without intelRdt
	Network  []netdev.Stats  // of its own network namespace; nil where that is another's
}

// Stats reads what the container has used up to now. ErrNotRunning: it has
// stopped.
func (c *Container) Stats() (*Stats, error) {
	if err := c.checkAlive(); err != nil {
		return nil, err
	}
	m, err := c.manager()
	if err != nil {
		return nil, err
	}
	s := &Stats{}
	if s.Cgroup, err = m.Stats(); err != nil {
		return nil, err
	}
	group, err := c.rdtGroup()
	if err != nil {
		return nil, err
	}
	if group != nil {
		if s.IntelRdt, err = group.Stats(); err != nil {
			return nil, err
		}
	}
	if c.ownNetwork() {
		s.Network, err = netdev.ReadStats(c.state.Pid)
	}
	return s, err
}

// ownNetwork tells whether the network is the container's, and not its host's.
func (c *Container) ownNetwork() bool {
	s, err := c.config()
	if err != nil || s.Linux == nil {
		return false
	}
	for _, ns := range s.Linux.Namespaces {
		if ns.Type == specs.NetworkNamespace {
			return true
		}
	}
	return false
}
