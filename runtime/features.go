package main

import (
	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/libcontainer"
)

// featuresCommand is davit features.
func (p *program) featuresCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "features",
		Short: "print what this davit can do",
		Long: `Prints, as JSON, what of the specification this build of davit knows. What depends
on the host is said of this one: flags of seccomp, and whether checkpoints can be
made. Engines read it before they write a config.json.`,
		Args: p.exactly(0),
		RunE: func(*cobra.Command, []string) error { return p.printJSON(libcontainer.Features()) },
	}
}
