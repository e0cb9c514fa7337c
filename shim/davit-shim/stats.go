package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/listing"
	"github.com/davit-containers/davit/shim/supervise"
)

// usageListing are what stats prints.
// Compat(moby): the columns.
var usageListing = listing.Listing{
	Columns: []listing.Column{
		{Name: "Container", Header: "CONTAINER"}, {Name: "ID", Header: "CONTAINER ID"}, {Name: "Name", Header: "NAME"},
		{Name: "CPUPerc", Header: "CPU %"}, {Name: "MemUsage", Header: "MEM USAGE / LIMIT"}, {Name: "MemPerc", Header: "MEM %"},
		{Name: "NetIO", Header: "NET I/O"}, {Name: "BlockIO", Header: "BLOCK I/O"}, {Name: "PIDs", Header: "PIDS"},
	},
	Table: "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
}

// gauges has the flags of davit-shim stats.
type gauges struct {
	all, once, whole bool
	format           string
}

// statsCommand is davit-shim stats.
func (p *program) statsCommand() *cobra.Command {
	var g gauges
	cmd := &cobra.Command{
		Use:   "stats [CONTAINER...]",
		Short: "show what running containers use",
		Long: `Shows what containers use of processors, memory, networks and block devices, every
second until it is interrupted; without names, that of all that run. 100 % is one
processor. --format takes Container, ID, Name, CPUPerc, MemUsage, MemPerc, NetIO,
BlockIO and PIDs.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return p.stats(cmd.Context(), g, args) },
	}
	fs := cmd.Flags()
	fs.BoolVarP(&g.all, "all", "a", false, "show those that do not run, too")
	fs.BoolVar(&g.once, "no-stream", false, "show it once")
	fs.BoolVar(&g.whole, "no-trunc", false, "print IDs in full")
	fs.StringVar(&g.format, "format", "", "print by `TEMPLATE`, or table, table TEMPLATE, json")
	return cmd
}

// gauge is a container that is measured.
type gauge struct {
	c      *container.Container
	ref    string
	client *supervise.Client // nil where it does not run
	before *supervise.Usage
}

// statsInterval is how long what is shown is measured.
const statsInterval = time.Second

func (p *program) stats(ctx context.Context, g gauges, refs []string) error {
	for {
		list, err := p.gauges(g, refs)
		if err != nil {
			return err
		}
		measure(ctx, list, func(x *gauge, u *supervise.Usage) { x.before = u })
		select {
		case <-ctx.Done():
			return nil // as it was asked to
		case <-time.After(statsInterval):
		}
		var mu sync.Mutex
		now := map[*gauge]*supervise.Usage{}
		measure(ctx, list, func(x *gauge, u *supervise.Usage) {
			mu.Lock()
			now[x] = u
			mu.Unlock()
		})
		var rows []listing.Row
		for _, x := range list {
			rows = append(rows, x.row(now[x], g.whole))
			if x.client != nil {
				x.client.Close()
			}
		}
		if !g.once && g.format == "" && isTerminal(p.out) {
			fmt.Fprint(p.out, "\x1b[H\x1b[2J") // from the top of an empty screen
		}
		if err := usageListing.Print(p.out, g.format, rows); err != nil || g.once || ctx.Err() != nil {
			return err
		}
	}
}

// gauges are the containers that are to be measured.
func (p *program) gauges(g gauges, refs []string) (list []*gauge, err error) {
	s, err := p.containers()
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		c, err := s.Find(ref)
		if err != nil {
			return nil, err
		}
		list = append(list, &gauge{c: c, ref: ref})
	}
	if len(refs) == 0 {
		all, err := s.List()
		if err != nil {
			return nil, err
		}
		for _, c := range all {
			if state, err := c.State(); g.all || err == nil && state.Alive() {
				list = append(list, &gauge{c: c, ref: c.Config.ID})
			}
		}
	}
	for _, x := range list {
		client, err := supervise.Dial(x.c)
		if err != nil && !errors.Is(err, supervise.ErrNotRunning) {
			return nil, err
		}
		x.client = client
	}
	return list, nil
}

// measure measures all at the same time. One that has ended has no result.
func measure(ctx context.Context, list []*gauge, result func(*gauge, *supervise.Usage)) {
	var wg sync.WaitGroup
	for _, x := range list {
		if x.client == nil {
			continue
		}
		wg.Go(func() {
			if u, err := x.client.Usage(ctx); err == nil {
				result(x, u)
			}
		})
	}
	wg.Wait()
}

// row is what is printed of a container; u is nil for one that does not run.
func (x *gauge) row(u *supervise.Usage, whole bool) listing.Row {
	id := x.c.Config.ID
	if !whole {
		id = listing.Short(id)
	}
	row := listing.Row{
		"Container": x.ref, "ID": id, "Name": x.c.Config.Name, "CPUPerc": "--", "MemUsage": "-- / --", "MemPerc": "--",
		"NetIO": "-- / --", "BlockIO": "-- / --", "PIDs": "--",
	}
	if u == nil || x.before == nil {
		return row
	}
	limit := min(u.MemoryLimit, machineMemory())
	row["CPUPerc"] = percent(float64(u.CPU-x.before.CPU), float64(u.At.Sub(x.before.At)))
	row["MemUsage"] = units.BytesSize(float64(u.Memory)) + " / " + units.BytesSize(float64(limit))
	row["MemPerc"] = percent(float64(u.Memory), float64(limit))
	row["NetIO"] = units.HumanSizeWithPrecision(float64(u.RxBytes), 3) + " / " + units.HumanSizeWithPrecision(float64(u.TxBytes), 3)
	row["BlockIO"] = units.HumanSizeWithPrecision(float64(u.ReadBytes), 3) + " / " + units.HumanSizeWithPrecision(float64(u.WriteBytes), 3)
	row["PIDs"] = strconv.FormatUint(u.Pids, 10)
	return row
}

func percent(part, whole float64) string {
	if whole <= 0 {
		return "0.00%"
	}
	return strconv.FormatFloat(100*part/whole, 'f', 2, 64) + "%"
}

// machineMemory is what the machine has, in bytes.
func machineMemory() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return uint64(info.Totalram) * uint64(info.Unit)
}
