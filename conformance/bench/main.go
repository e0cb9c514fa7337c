// Bench measures OCI runtimes by their command line, side by side: the wall
// time, processor time and peak memory of whole processes, and the least
// memory limit under which a container starts.
//
//	bench [flags] [name=path ...]
//
// The runtimes are runc and crun from PATH, and those named on the command
// line. They take turns in every round, so that whatever else the machine does
// hits all of them. The bundle is Debian's busybox on a tmpfs. Everything runs
// in a mount namespace of its own, with one kind of cgroup hierarchy in it.
//
// It is not for measuring what goes on inside a runtime, nor for a machine
// that is doing something else. It needs root, busybox-static and time(1).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"

	"github.com/davit-containers/davit/conformance/internal/view"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are what the command line asks for.
type options struct {
	rounds    int
	warmup    int
	only      map[string]bool // of scenario names; all where empty
	views     []view.View
	baselines []string // names of runtimes to give ratios to
	jsonFile  string
	peers     []peer
}

// parse reads the command line.
func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "n", 50, "measured `ROUNDS` of each scenario")
	flags.IntVar(&o.warmup, "warmup", 5, "`ROUNDS` before, not measured")
	flags.StringVar(&o.jsonFile, "json", "", "also write every sample to `FILE`")
	only := flags.String("only", "", "measure these `SCENARIOS` alone, separated by commas: "+strings.Join(scenarioNames(), ", "))
	views := flags.String("cgroup", "v2,v1", "`VIEWS` of the cgroups to measure in: v2 (cgroup2 alone), v1 (without the unified hierarchy), host (as it is)")
	baselines := flags.String("baselines", "crun,runc", "`RUNTIMES` to give ratios to, by name")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.only, err = scenarioSet(*only); err != nil {
		return o, err
	}
	if o.views, err = view.Parse(*views); err != nil {
		return o, err
	}
	o.baselines = strings.Split(*baselines, ",")
	o.peers, err = findPeers(flags.Args())
	return o, err
}

// run measures, prints, and writes the samples.
func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("measuring containers: must be root")
	}
	printMachine(o.peers)
	var all []result
	for _, v := range o.views {
		results, err := measureIn(ctx, v, o)
		var missing view.MissingError
		if errors.As(err, &missing) && len(o.views) > 1 {
			fmt.Printf("\nnot measured with %s: %v\n", v.Title(), err)
			continue
		}
		if err != nil {
			return err
		}
		all = append(all, results...)
	}
	return writeJSON(o.jsonFile, o.peers, all)
}

// printMachine says what was measured where.
func printMachine(peers []peer) {
	fmt.Printf("Linux %s, %d processors\n", kernelRelease(), runtime.NumCPU())
	for _, p := range peers {
		fmt.Printf("%-10s %s: %s\n", p.name, p.path, p.version)
	}
}

// measureIn measures every scenario asked for in one view of the cgroups.
func measureIn(ctx context.Context, v view.View, o options) ([]result, error) {
	var results []result
	err := view.In(v, func(dir string) error {
		b, err := newBench(dir, v)
		if err != nil {
			return err
		}
		defer b.close()
		for _, s := range scenarios {
			if ctx.Err() == nil && (len(o.only) == 0 || o.only[s.name]) {
				results = append(results, b.measure(ctx, s, o)...)
			}
		}
		return ctx.Err()
	})
	return results, err
}

// measure measures and prints one scenario.
func (b *bench) measure(ctx context.Context, s scenario, o options) []result {
	fmt.Printf("\n%s (%s), %s\n", s.name, s.about, b.view.Title())
	if s.needs != "" && !view.HasController(s.needs) {
		fmt.Printf("not measured: there is no %s controller\n", s.needs)
		return nil
	}
	rows := s.measure(ctx, b, s, o)
	printTable(os.Stdout, s, rows, o.baselines)
	return rows
}
