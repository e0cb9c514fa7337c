package main

import (
	"fmt"
	"io"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/libcontainer/spec"
)

// mountsCommand is davit mounts.
// Compat(crun): its arguments and its file.
func (p *program) mountsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "mounts add|remove <container-id> <file>",
		Short: "add mounts to a container that is not stopped, or remove some",
		Long: `Mounts more in a container that was created or runs, or unmounts what is there.
The file is a JSON array of mounts, as "mounts" in config.json; - is standard
input. Sources are the host's, relative ones are in the bundle; destinations that
are missing are made. Of what is to be removed only the destinations count, and
no symbolic link is followed to them. The container's configuration does not
change: what was added ends with the container.

    # davit mounts add ubuntu01 mounts.json`,
		Args:      p.exactly(3),
		ValidArgs: []string{"add", "remove"},
		RunE:      func(_ *cobra.Command, args []string) error { return p.mounts(args[0], args[1], args[2]) },
	}
}

// mounts changes the mounts of a container.
func (p *program) mounts(verb, id, file string) error {
	change, err := p.mountsVerb(verb)
	if err != nil {
		return err
	}
	rt, err := p.runtime()
	if err != nil {
		return err
	}
	container, err := rt.Load(id)
	if err != nil {
		return err
	}
	defer container.Close()
	mounts, err := readMounts(file)
	if err != nil {
		return err
	}
	return change(container, mounts)
}

// mountsVerb is what a verb stands for.
func (p *program) mountsVerb(verb string) (func(*libcontainer.Container, []specs.Mount) error, error) {
	switch verb {
	case "add":
		return (*libcontainer.Container).AddMounts, nil
	case "remove":
		return (*libcontainer.Container).RemoveMounts, nil
	}
	return nil, p.misuse("mounts: %q is neither add nor remove", verb)
}

// readMounts reads an array of mounts from a file; - is standard input.
func readMounts(file string) ([]specs.Mount, error) {
	f := os.Stdin
	if file != "-" {
		var err error
		if f, err = os.Open(file); err != nil {
			return nil, fmt.Errorf("reading the mounts: %w", err)
		}
		defer f.Close()
	}
	data, err := io.ReadAll(io.LimitReader(f, spec.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading the mounts: %w", err)
	}
	return spec.DecodeMounts(data)
}
