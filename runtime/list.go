package main

import (
	"errors"
	"fmt"
	"io/fs"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/libcontainer"
)

// listing has the flags of davit list.
type listing struct {
	format string
	quiet  bool
}

// listCommand is davit list.
func (p *program) listCommand() *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list the containers",
		Long: `Lists the containers whose states are in the directory that the global option
--root names. That the default directory does not exist means that there are no
containers; one that was given must exist.`,
		Args: p.exactly(0),
		RunE: func(*cobra.Command, []string) error { return p.list(l) },
	}
	cmd.Flags().StringVarP(&l.format, "format", "f", "table", "the output's `FORMAT`: table or json")
	cmd.Flags().BoolVarP(&l.quiet, "quiet", "q", false, "print only the ids")
	return cmd
}

// list prints the containers.
func (p *program) list(l listing) error {
	if err := checkFormat(l.format, "table", "json"); err != nil {
		return err
	}
	states, err := p.states()
	switch {
	case err != nil:
		return err
	case l.quiet:
		return p.printIDs(states)
	case l.format == "json":
		return p.printStates(states)
	}
	return p.printTable(states)
}

// states are the states of all containers, by id.
func (p *program) states() ([]*libcontainer.State, error) {
	rt, err := p.runtime()
	if err != nil {
		return nil, err
	}
	ids, err := p.ids(rt)
	if err != nil {
		return nil, err
	}
	var states []*libcontainer.State
	for _, id := range ids {
		if state := p.stateOf(rt, id); state != nil {
			states = append(states, state)
		}
	}
	return states, nil
}

// ids are those of all containers. That the default root does not exist means
// that there are none.
func (p *program) ids(rt *libcontainer.Runtime) ([]string, error) {
	ids, err := rt.IDs()
	if errors.Is(err, fs.ErrNotExist) && !p.globals.rootGiven {
		return nil, nil
	}
	return ids, err
}

// stateOf is the state of one container, nil when it has none to show: it may
// have been deleted since it was listed, or is only half made. The others are
// listed all the same.
func (p *program) stateOf(rt *libcontainer.Runtime, id string) *libcontainer.State {
	container, err := rt.Load(id)
	if errors.Is(err, libcontainer.ErrNotExist) {
		return nil
	}
	if err != nil {
		p.log.warn(err.Error())
		return nil
	}
	state, err := container.State()
	if err != nil {
		p.log.warn(fmt.Sprintf("reading the state of container %s: %v", id, err))
		return nil
	}
	return state
}

// printIDs prints an id a line.
func (p *program) printIDs(states []*libcontainer.State) error {
	for _, s := range states {
		if _, err := fmt.Fprintln(p.out, s.ID); err != nil {
			return err
		}
	}
	return nil
}

// printStates prints a JSON array; null for none, as runc does.
func (p *program) printStates(states []*libcontainer.State) error {
	if len(states) == 0 {
		_, err := fmt.Fprintln(p.out, "null")
		return err
	}
	out := []byte{'['}
	for i, s := range states {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendState(out, s, compact)
	}
	_, err := p.out.Write(append(out, "]\n"...))
	return err
}

// printTable prints columns for a reader.
func (p *program) printTable(states []*libcontainer.State) error {
	w := tabwriter.NewWriter(p.out, 12, 1, 3, ' ', 0)
	fmt.Fprint(w, "ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER\n")
	for _, s := range states {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n",
			s.ID, s.Pid, s.Status, s.Bundle, s.Created.Format(time.RFC3339Nano), s.Owner)
	}
	return w.Flush()
}
