package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/libcontainer"
)

// processList has the flags of davit ps.
type processList struct {
	format string
}

// psCommand is davit ps.
func (p *program) psCommand() *cobra.Command {
	var l processList
	cmd := &cobra.Command{
		Use:   "ps <container-id> [ps options]",
		Short: "list the processes of a container",
		Long: `Lists the processes of the container as the host sees them: as ps(1) shows them,
-ef unless other options for it follow the id, or as a JSON array of pids.`,
		Args: p.atLeast(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return p.ps(args[0], args[1:], l)
		},
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().StringVarP(&l.format, "format", "f", "table", "the output's `FORMAT`: table or json")
	return cmd
}

// ps lists a container's processes.
func (p *program) ps(id string, options []string, l processList) error {
	if err := checkFormat(l.format, "table", "json"); err != nil {
		return err
	}
	container, err := p.load(id)
	if err != nil {
		return err
	}
	pids, err := container.Processes()
	if err != nil {
		return err
	}
	if l.format == "json" {
		return json.NewEncoder(p.out).Encode(pids)
	}
	return p.printProcesses(pids, options)
}

// printProcesses prints what ps(1) says of the processes.
func (p *program) printProcesses(pids []int, options []string) error {
	if len(options) == 0 {
		options = []string{"-ef"}
	}
	table, err := libcontainer.ProcessTable(options)
	if err != nil {
		return fmt.Errorf("running ps: %w: %s", err, bytes.TrimSpace(table))
	}
	lines, err := linesOf(string(table), pids)
	if err != nil {
		return err
	}
	_, err = p.out.Write([]byte(strings.Join(lines, "")))
	return err
}

// linesOf picks the heading, and the lines of the processes, from a table of ps(1).
func linesOf(table string, pids []int) ([]string, error) {
	var picked []string
	column := -1
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if column < 0 {
			if column = slices.Index(fields, "PID"); column < 0 {
				return nil, errors.New("couldn't find PID field in ps output") // Compat(runc): its text
			}
			picked = append(picked, line)
			continue
		}
		if len(fields) <= column {
			continue
		}
		pid, err := strconv.Atoi(fields[column])
		if err != nil {
			return nil, fmt.Errorf("unable to parse pid: %w", err)
		}
		if slices.Contains(pids, pid) {
			picked = append(picked, line)
		}
	}
	return picked, nil
}
