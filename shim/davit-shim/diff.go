package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/diff"
	"github.com/davit-containers/davit/shim/bundledir"
)

// diffCommand is davit-shim diff.
func (p *program) diffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff BUNDLE",
		Short: "list what was changed in a bundle",
		Long: `Lists the files of a bundle's root file system that differ from its image: A is
for added, C for changed, D for deleted. Where the configuration mounts something,
nothing is listed.`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.diff(cmd.Context(), args[0]) },
	}
}

func (p *program) diff(ctx context.Context, dir string) error {
	b, err := bundledir.Open(dir)
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
