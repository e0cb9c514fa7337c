package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/volume"
)

// volumeCreateCommand is davit-shim volume create.
func (p *program) volumeCreateCommand() *cobra.Command {
	var driver string
	var given []string
	cmd := &cobra.Command{
		Use:   "create [VOLUME]",
		Short: "make a volume",
		Long: `Makes an empty volume, and prints its name; without VOLUME an anonymous one. One
that is there already is left as it is.`,
		Args: between(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			if driver != "local" {
				return fmt.Errorf("--driver %q: it is local", driver)
			}
			return p.volumeCreate(append(args, "")[0], given)
		},
	}
	cmd.Flags().StringVarP(&driver, "driver", "d", "local", "the `KIND` of volume: local")
	cmd.Flags().StringArrayVar(&given, "label", nil, "label it `NAME[=VALUE]`")
	return cmd
}

func (p *program) volumeCreate(ref string, given []string) error {
	s, err := p.volumes()
	if err != nil {
		return err
	}
	made := false
	if ref != "" {
		_, err = s.Get(ref)
		made = errors.Is(err, volume.ErrNotExist)
	}
	v, err := s.Create(volume.CreateOptions{Name: ref, Labels: labels(given)})
	if err != nil {
		return err
	}
	if made || ref == "" {
		p.note(volumeEvent("create", v))
	}
	_, err = fmt.Fprintln(p.out, v.Name)
	return err
}
