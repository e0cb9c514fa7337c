package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/libcontainer"
)

// collecting has the flags of davit gc.
type collecting struct {
	dryRun bool
	format string
}

// gcCommand is davit gc.
func (p *program) gcCommand() *cobra.Command {
	var g collecting
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "remove what killed commands left behind, and no container owns",
		Long: `Removes, and lists, what commands that were killed left below the directory that
the global option --root names: containers that are half made or half removed,
with their cgroups, processes and sockets, and compiled seccomp filters that no
container uses. A container that is whole is left alone, in whatever state, and
so is one that a living process is making.`,
		Args: p.exactly(0),
		RunE: func(*cobra.Command, []string) error { return p.gc(g) },
	}
	cmd.Flags().BoolVar(&g.dryRun, "dry-run", false, "only list what would be removed")
	cmd.Flags().StringVarP(&g.format, "format", "f", "table", "the output's `FORMAT`: table or json")
	return cmd
}

// gc removes what nobody owns, and lists it. What cannot be removed does not
// keep the rest from it.
func (p *program) gc(g collecting) error {
	if err := checkFormat(g.format, "table", "json"); err != nil {
		return err
	}
	rt, err := p.runtime()
	if err != nil {
		return err
	}
	collect := rt.RemoveLeftovers
	if g.dryRun {
		collect = rt.Leftovers
	}
	found, err := collect()
	if errors.Is(err, fs.ErrNotExist) && !p.globals.rootGiven {
		err = nil
	}
	return errors.Join(p.printLeftovers(found, g.format), err)
}

// printLeftovers prints a table, of which only the heading is left where there
// is nothing, or a JSON array.
func (p *program) printLeftovers(found []libcontainer.Leftover, format string) error {
	if format == "json" {
		if found == nil {
			found = []libcontainer.Leftover{}
		}
		return json.NewEncoder(p.out).Encode(found)
	}
	w := tabwriter.NewWriter(p.out, 12, 1, 3, ' ', 0)
	fmt.Fprint(w, "KIND\tCONTAINER\tPATH\tREASON\n")
	for _, l := range found {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.Kind, orDash(l.Container), l.Path, l.Reason)
	}
	return w.Flush()
}

// orDash stands in for what is not there.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
