package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/image"
)

// importing has the flags of davit-shim import.
type importing struct {
	making
	platform string
}

// importCommand is davit-shim import.
func (p *program) importCommand() *cobra.Command {
	var i importing
	cmd := &cobra.Command{
		Use:   "import FILE|- [NAME]",
		Short: "make an image of an archive of files",
		Long: `Makes an image with one layer of a tar archive, which may be compressed with gzip
or zstd: a root file system, such as export writes. - is standard input. Prints the
image's ID.`,
		Args: between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return p.importImage(cmd.Context(), i, args) },
	}
	i.add(cmd)
	cmd.Flags().StringVar(&i.platform, "platform", "", "the files are for `OS/ARCHITECTURE[/VARIANT]` (default is this machine's)")
	return cmd
}

func (p *program) importImage(ctx context.Context, i importing, args []string) error {
	o, err := i.options(args[1:])
	if err != nil {
		return err
	}
	platform := image.Host()
	if i.platform != "" {
		if platform, err = image.ParsePlatform(i.platform); err != nil {
			return err
		}
	}
	change := o.Change
	o.Change = func(c *image.Config) {
		c.OS, c.Architecture, c.Variant = platform.OS, platform.Architecture, platform.Variant
		change(c)
	}
	o.History.CreatedBy = "davit-shim import " + args[0]
	if o.History.Comment == "" {
		o.History.Comment = "Imported from " + args[0] // Compat(moby)
	}
	s, err := p.store()
	if err != nil {
		return err
	}
	file, err := p.input(args[0])
	if err != nil {
		return err
	}
	defer file.Close()
	img, err := s.Import(ctx, file, o)
	if err != nil {
		return fmt.Errorf("importing %s: %w", args[0], err)
	}
	fmt.Fprintln(p.out, img.ID())
	return nil
}
