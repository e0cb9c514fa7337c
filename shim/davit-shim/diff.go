package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/diff"
)

// diffCommand is davit-shim diff.
func (p *program) diffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff CONTAINER|BUNDLE",
		Short: "list what was changed in a container or a bundle",
		Long: `Lists the files of the root file system of a container, or of a bundle, which is a
directory, that differ from its image: A is for added, C for changed, D for deleted.
Where the configuration mounts something, nothing is listed.`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.diff(cmd.Context(), args[0]) },
	}
}

func (p *program) diff(ctx context.Context, ref string) error {
	b, _, err := p.bundleOf(ref)
	if err != nil {
		return err
	}
	o, err := b.Difference()
	if err != nil {
		return err
	}
	changes, err := diff.Changes(ctx, b.Before(), b.Now(), o)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(p.out)
	for _, c := range changes {
		if c.Path != "." {
			_, err = fmt.Fprintf(w, "%s /%s\n", c.Kind, c.Path)
		}
	}
	return errors.Join(err, w.Flush())
}
