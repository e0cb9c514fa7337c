package main

import (
	"github.com/spf13/cobra"
)

// stateCommand is davit state.
func (p *program) stateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "state <container-id>",
		Short: "print the state of a container",
		Long: `Prints the container's state as JSON: its id, the pid of its first process (0
once it has stopped), its status (creating, created, running, paused, stopped),
its bundle, root file system, time of creation and annotations.`,
		Args: p.exactly(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.state(args[0]) },
	}
}

// state prints the state of a container.
func (p *program) state(id string) error {
	container, err := p.load(id)
	if err != nil {
		return err
	}
	state, err := container.State()
	if err != nil {
		return err
	}
	_, err = p.out.Write(appendState(nil, state, pretty))
	return err
}
