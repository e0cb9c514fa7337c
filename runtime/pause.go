package main

import (
	"github.com/spf13/cobra"
)

// pauseCommand is davit pause.
func (p *program) pauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pause <container-id>",
		Short: "stop all processes of a container for a while",
		Long: `Stops all processes of the container, by the freezer of its cgroup, and ends when
they stand still. They go on with davit resume, or die of the signal KILL.`,
		Args: p.exactly(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.pause(args[0]) },
	}
}

// pause stops a container's processes.
func (p *program) pause(id string) error {
	container, err := p.load(id)
	if err != nil {
		return err
	}
	return container.Pause()
}
