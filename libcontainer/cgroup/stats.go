package cgroup

import (
	"fmt"
	"maps"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fs"
	"github.com/opencontainers/cgroups/fs2"
)

// Stats returns what the cgroup's controllers have counted. Times are in
// nanoseconds, memory in bytes. A rootless container that got no cgroup has
// counted nothing.
func (m *Manager) Stats() (*cgroups.Stats, error) {
	if m.saved.Rootless && m.saved.Driver == Disabled {
		return cgroups.NewStats(), nil // Compat(runc): not an error
	}
	if !m.Exists() {
		return nil, fmt.Errorf("reading statistics: %w", errNoCgroup)
	}
	stats, err := m.saved.stats()
	if err != nil {
		return nil, fmt.Errorf("reading the statistics of cgroup %s: %w", relative(m.saved.principal()), oneLine(err))
	}
	return stats, nil
}

func (s Saved) stats() (*cgroups.Stats, error) {
	config := &cgroups.Cgroup{Rootless: s.Rootless, Resources: &cgroups.Resources{}}
	if s.Unified {
		m, err := fs2.NewManager(config, s.Paths[""])
		if err != nil {
			return nil, err
		}
		return m.GetStats()
	}
	m, err := fs.NewManager(config, maps.Clone(s.Paths))
	if err != nil {
		return nil, err
	}
	return m.GetStats()
}
