package main

import (
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/image"
)

// tagCommand is davit-shim tag.
func (p *program) tagCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "tag IMAGE NAME",
		Short: "give an image another name",
		Long:  "Whichever image has the name loses it. The image keeps those that it has.",
		Args:  exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.store()
			if err != nil {
				return err
			}
			to, err := image.ParseName(args[1])
			if err != nil {
				return err
			}
			img, err := s.Get(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return s.Tag(cmd.Context(), img, to)
		},
	}
}
