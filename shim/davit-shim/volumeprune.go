package main

import (
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/volume"
)

// volumePruneCommand is davit-shim volume prune.
func (p *program) volumePruneCommand() *cobra.Command {
	var c cleaning
	var all bool
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "remove volumes that no container has",
		Long: `Removes the anonymous volumes that no container has, running or not; with --all
the named ones too. Filters: label=NAME[=VALUE], label!=NAME[=VALUE],
until=TIME|AGE (made before).`,
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error {
			what := "anonymous volumes"
			if all {
				what = "volumes"
			}
			return p.prune(c, "This will remove all "+what+" that no container has.", p.pruneVolumes(all))
		},
	}
	c.add(cmd)
	cmd.Flags().BoolVarP(&all, "all", "a", false, "named volumes too")
	return cmd
}

// pruneVolumes removes the volumes that nobody has.
func (p *program) pruneVolumes(all bool) func(pruneFilter) (int64, error) {
	return func(f pruneFilter) (int64, error) {
		s, err := p.volumes()
		if err != nil {
			return 0, err
		}
		removed, freed, err := s.Prune(func(v volume.Volume) bool {
			return (all || v.Anonymous) && f.wants(v.Labels, v.Created)
		})
		var names []string
		for _, v := range removed {
			p.note(volumeEvent("destroy", v))
			names = append(names, v.Name)
		}
		p.printPruned("Deleted Volumes:", names)
		return freed, err
	}
}
