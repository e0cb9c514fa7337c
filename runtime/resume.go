package main

import (
	"github.com/spf13/cobra"
)

// resumeCommand is davit resume.
func (p *program) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resume <container-id>",
		Short: "let a paused container go on",
		Long:  `Lets all processes go on that davit pause has stopped.`,
		Args:  p.exactly(1),
		RunE:  func(_ *cobra.Command, args []string) error { return p.resume(args[0]) },
	}
}

// resume lets a container's processes go on.
func (p *program) resume(id string) error {
	container, err := p.load(id)
	if err != nil {
		return err
	}
	return container.Resume()
}
