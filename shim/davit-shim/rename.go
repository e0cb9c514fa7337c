package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// renameCommand is davit-shim rename.
func (p *program) renameCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rename CONTAINER NAME",
		Short: "give a container another name",
		Long: `Gives a container another name. Others that are in its networks find it by the new
one from its next start on.`,
		Args: exactly(2),
		RunE: func(_ *cobra.Command, args []string) error { return p.rename(args[0], args[1]) },
	}
}

func (p *program) rename(ref, name string) error {
	c, err := p.container(ref)
	if err != nil {
		return err
	}
	l, err := c.Lock()
	if err != nil {
		return err
	}
	defer l.Unlock()
	old := l.Config.Name
	if name == old {
		return errors.New("Renaming a container with the same name as its current name") // Compat(moby): its words
	}
	if err := l.Rename(name); err != nil {
		return err
	}
	note(l.Container, "rename", map[string]string{"oldName": old})
	return nil
}
