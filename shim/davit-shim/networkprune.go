package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/network"
)

// networkPruneCommand is davit-shim network prune.
func (p *program) networkPruneCommand() *cobra.Command {
	c := cleaning{unmeasured: true}
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "remove networks that no container uses",
		Long: `Removes all networks but "bridge" that no container is in, nor one that has ended
and names it. Filters: label=NAME[=VALUE], label!=NAME[=VALUE], until=TIME|AGE
(made before).`,
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error {
			return p.prune(c, "This will remove all networks that no container uses.", p.pruneNetworks)
		},
	}
	c.add(cmd)
	return cmd
}

// pruneNetworks removes the networks that nobody uses.
func (p *program) pruneNetworks(f pruneFilter) (int64, error) {
	s, err := p.networks()
	if err != nil {
		return 0, err
	}
	used, err := p.usedNetworks(s)
	if err != nil {
		return 0, err
	}
	all, err := s.List()
	if err != nil {
		return 0, err
	}
	var removed []string
	for _, n := range all {
		if n.Name == network.DefaultName || used[n.Name] || !f.wants(n.Labels, n.Created) {
			continue
		}
		err = s.Remove(n.Name)
		if errors.Is(err, network.ErrInUse) || errors.Is(err, network.ErrNotExist) {
			continue // somebody was quicker
		}
		if err != nil {
			return 0, err
		}
		p.note(networkEvent("destroy", n))
		removed = append(removed, n.Name)
	}
	p.printPruned("Deleted Networks:", removed)
	return 0, nil
}

// usedNetworks are those that containers are in, or name.
func (p *program) usedNetworks(s *network.Store) (map[string]bool, error) {
	used, err := attached(s)
	if err != nil {
		return nil, err
	}
	containers, err := p.containers()
	if err != nil {
		return nil, err
	}
	list, err := containers.List()
	for _, c := range list {
		for _, j := range c.Config.Network.Networks {
			used[j.Network] = true
		}
	}
	return used, err
}

// printPruned says what was removed, under a heading.
func (p *program) printPruned(heading string, removed []string) {
	if len(removed) == 0 {
		return
	}
	fmt.Fprintln(p.out, heading)
	for _, one := range removed {
		fmt.Fprintln(p.out, one)
	}
	fmt.Fprintln(p.out)
}
