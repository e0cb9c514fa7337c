package network

import (
	"fmt"
	"strings"
)

// Find is a network by its name, its ID, or the beginning of one that only it
// has. ErrNotExist: there is none.
func (s *Store) Find(ref string) (Network, error) {
	all, err := s.List()
	if err != nil {
		return Network{}, err
	}
	var found []Network
	for _, n := range all {
		if n.Name == ref || n.ID == ref {
			return n, nil
		}
		if ref != "" && strings.HasPrefix(n.ID, ref) {
			found = append(found, n)
		}
	}
	switch len(found) {
	case 0:
		return Network{}, fmt.Errorf("network %s: %w", ref, ErrNotExist)
	case 1:
		return found[0], nil
	}
	return Network{}, fmt.Errorf("network %s: %d networks have IDs that begin so", ref, len(found))
}
