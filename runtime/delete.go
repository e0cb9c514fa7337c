package main

import (
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/libcontainer"
)

// deletion has the flags of davit delete.
type deletion struct {
	force bool
	regex bool
}

// deleteCommand is davit delete.
func (p *program) deleteCommand() *cobra.Command {
	var d deletion
	cmd := &cobra.Command{
		Use:   "delete <container-id>",
		Short: "delete a container and all that it held",
		Long: `Deletes a container that has stopped, or that was created and never started: its
cgroup, what is left of its processes, and its state. With --force a container
in any state is killed and deleted, also one whose creation was interrupted; one
that does not exist is no error then.`,
		Args: p.exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if d.regex {
				return p.eachMatching(args[0], d.delete)
			}
			rt, err := p.runtime()
			if err != nil {
				return err
			}
			return d.delete(rt, args[0])
		},
	}
	cmd.Flags().BoolVarP(&d.force, "force", "f", false, "kill the container first, if it still runs")
	cmd.Flags().BoolVarP(&d.regex, "regex", "r", false, "the id is a regular expression: delete every container that it matches")
	return cmd
}

// delete removes a container: in any state with force, otherwise one that does
// not run.
func (d deletion) delete(rt *libcontainer.Runtime, id string) error {
	if d.force {
		return rt.ForceRemove(id)
	}
	container, err := rt.Load(id)
	if err != nil {
		return err
	}
	defer container.Close()
	return container.Delete()
}
