package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/bundle/image/source"
	"github.com/davit-containers/davit/bundle/progress"
)

// loading has the flags of davit-shim load.
type loading struct {
	transfer
	input string
}

// loadCommand is davit-shim load.
func (p *program) loadCommand() *cobra.Command {
	var l loading
	cmd := &cobra.Command{
		Use:   "load",
		Short: "read images from an archive",
		Long: `Reads all images of an archive, as docker save, podman save, skopeo and this
program's save write it: Docker's format or OCI's, compressed or not, from a file
or from standard input. Images keep their names.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.load(cmd.Context(), l) },
	}
	cmd.Flags().StringVarP(&l.input, "input", "i", "", "read `FILE` (default is standard input)")
	l.addPlatform(cmd)
	l.addUnpack(cmd)
	l.addProgress(cmd)
	return cmd
}

func (p *program) load(ctx context.Context, l loading) error {
	s, err := p.store()
	if err != nil {
		return err
	}
	file, err := p.input(l.input)
	if err != nil {
		return err
	}
	var all []added
	err = p.watch(l.transfer, func(report progress.Func) error {
		o, err := l.sourceOptions(report)
		if err != nil {
			return errors.Join(err, file.Close())
		}
		images, err := source.Load(ctx, file, o)
		if err != nil {
			return err
		}
		defer images.Close()
		all, err = add(ctx, s, images.Found, l.transfer, report)
		return err
	})
	for _, a := range all {
		p.printLoaded(a)
	}
	if err != nil {
		return fmt.Errorf("loading images: %w", err)
	}
	return nil
}

// input is the file of a name, or standard input for "" and "-".
func (p *program) input(path string) (*os.File, error) {
	if path != "" && path != "-" {
		return os.Open(path)
	}
	if isTerminal(p.in) {
		return nil, errors.New("standard input is a terminal [give a file, or redirect it]")
	}
	return p.in, nil
}

// printLoaded says what has come.
// Compat(moby): its words.
func (p *program) printLoaded(a added) {
	for _, n := range a.names {
		fmt.Fprintf(p.out, "Loaded image: %s\n", n.Familiar())
	}
	if len(a.names) == 0 {
		fmt.Fprintf(p.out, "Loaded image ID: %s\n", a.ID())
	}
}
