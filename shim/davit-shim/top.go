package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strconv"
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
		Use:   "top CONTAINER [PS-OPTION...]",
		Short: "list the processes of a running container",
		Long: `Lists a container's processes as the host sees them: what is printed comes from the
host's /proc, and from no program of the image. Columns are ` + strings.Join(hostproc.Columns(), ", ") + `.
With options for the host's ps(1), such as aux, its output is printed, as far as it is
about these processes.`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.top(cmd.Context(), args[0], args[1:], columns) },
	}
	cmd.Flags().SetInterspersed(false) // what follows CONTAINER is ps's
	cmd.Flags().StringVarP(&columns, "output", "o", topColumns, "print these `COLUMNS`, separated by commas")
	return cmd
}

func (p *program) top(ctx context.Context, ref string, options []string, columns string) error {
	if len(options) == 2 && options[0] == "-o" && known(options[1]) == nil {
		options, columns = nil, options[1]
	}
	if err := known(columns); err != nil {
		return err
	}
	pids, err := p.processes(ctx, ref)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.out, 8, 1, 3, ' ', 0)
	if len(options) > 0 {
		err = printPS(ctx, w, pids, options)
	} else {
		err = printColumns(w, pids, strings.Split(columns, ","))
	}
	return errors.Join(err, w.Flush())
}

// known says which of the columns there is not.
func known(columns string) error {
	for name := range strings.SplitSeq(columns, ",") {
		if !slices.Contains(hostproc.Columns(), name) {
			return fmt.Errorf("there is no column %q [there are %s]", name, strings.Join(hostproc.Columns(), ", "))
		}
	}
	return nil
}

// processes are those of a container that runs.
func (p *program) processes(ctx context.Context, ref string) ([]int, error) {
	c, err := p.container(ref)
	if err != nil {
		return nil, err
	}
	client, err := running(c)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.Pids(ctx)
}

func printColumns(w io.Writer, pids []int, names []string) error {
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
	return nil
}

// printPS prints what ps says of processes.
// Compat(moby): the words where there is no column PID.
func printPS(ctx context.Context, w io.Writer, pids []int, options []string) error {
	out, err := exec.CommandContext(ctx, "ps", options...).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return fmt.Errorf("running ps: %s", oneLine(string(failed.Stderr)))
	}
	if err != nil {
		return fmt.Errorf("running ps: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	titles := strings.Fields(lines[0])
	at := slices.Index(titles, "PID")
	if at < 0 {
		return errors.New("Couldn't find PID field in ps output")
	}
	fmt.Fprintln(w, strings.Join(titles, "\t"))
	for _, line := range lines[1:] {
		fields := strings.Fields(line)
		if len(fields) <= at {
			continue
		}
		if pid, err := strconv.Atoi(fields[at]); err != nil || !slices.Contains(pids, pid) {
			continue
		}
		last := min(len(titles), len(fields)) - 1 // the last column has blanks
		fmt.Fprintln(w, strings.Join(append(fields[:last:last], strings.Join(fields[last:], " ")), "\t"))
	}
	return nil
}
