package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/hostproc"
)

// topColumns are what top prints where nothing else is asked for.
// Compat(moby): those of ps -ef.
const topColumns = "uid,pid,ppid,c,stime,tty,time,cmd"

// topCommand is davit-shim top.
func (p *program) topCommand() *cobra.Command {
	var columns string
	cmd := &cobra.Command{
		Use:   "top CONTAINER",
		Short: "list the processes of a running container",
		Long: `Lists a container's processes as the host sees them: what is printed comes from the
host's /proc, and from no program of the image. Columns are ` + strings.Join(hostproc.Columns(), ", ") + `.`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.top(cmd.Context(), args[0], columns) },
	}
	cmd.Flags().StringVarP(&columns, "output", "o", topColumns, "print these `COLUMNS`, separated by commas")
	return cmd
}

func (p *program) top(ctx context.Context, ref, columns string) error {
	names := strings.Split(columns, ",")
	for _, name := range names {
		if !slices.Contains(hostproc.Columns(), name) {
			return fmt.Errorf("there is no column %q [there are %s]", name, strings.Join(hostproc.Columns(), ", "))
		}
	}
	c, err := p.container(ref)
	if err != nil {
		return err
	}
	client, err := running(c)
	if err != nil {
		return err
	}
	defer client.Close()
	pids, err := client.Pids(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.out, 8, 1, 3, ' ', 0)
	fmt.Fprintln(w, strings.ToUpper(strings.Join(names, "\t")))
	for _, pid := range pids {
		row, err := hostproc.Read(pid, names)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, os.ErrProcessDone) {
			continue // it has ended meanwhile
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}
