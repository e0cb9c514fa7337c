// Sweep kills an OCI runtime's commands with SIGKILL at every system call that
// they, and the processes that they start, make: at the first in one run, at
// the second in the next, and so on. After each kill the runtime is asked what
// there is, which must be true; delete --force must succeed and leave nothing;
// and the same id must be usable again.
//
//	sweep [flags] name=path
//
// The runtime is judged by its command line and by what it leaves on the host,
// whichever runtime it is. Everything runs in a mount and a network namespace
// of its own, in views with one kind of cgroup hierarchy each.
//
// It is not for what happens when power is lost, nor for commands that race
// with each other. It needs root and busybox-static.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/internal/view"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sweep:", err)
		os.Exit(1)
	}
}

// options are what the command line asks for.
type options struct {
	first     int
	every     int
	scenarios []string // names; all where empty
	kinds     []string // names; all where empty
	views     []view.View
	runtime   string // absolute
}

// parse reads the command line.
func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("sweep", flag.ContinueOnError)
	flags.IntVar(&o.every, "every", 1, "kill at every `N`th call only")
	flags.IntVar(&o.first, "first", 1, "kill at the `N`th call first")
	only := flags.String("only", "", "kill these `COMMANDS` alone, separated by commas: "+strings.Join(names(scenarios), ", "))
	kindList := flags.String("containers", "", "of these `KINDS` of containers alone: "+strings.Join(names(kinds), ", "))
	views := flags.String("cgroup", "host,v2", "`VIEWS` of the cgroups: v2 (cgroup2 alone), v1 (without the unified hierarchy), host (as it is)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.first < 1 || o.every < 1 || flags.NArg() != 1 {
		return o, errors.New("want one runtime as name=path, and -first and -every at least 1")
	}
	var err error
	if o.scenarios, err = choose(*only, names(scenarios)); err != nil {
		return o, err
	}
	if o.kinds, err = choose(*kindList, names(kinds)); err != nil {
		return o, err
	}
	if o.views, err = view.Parse(*views); err != nil {
		return o, err
	}
	_, path, _ := strings.Cut(flags.Arg(0), "=")
	o.runtime, err = filepath.Abs(path)
	return o, err
}

// named has a name.
type named interface{ title() string }

func (s scenario) title() string { return s.name }
func (k kind) title() string     { return k.name }

// names are the names of a list's entries.
func names[T named](list []T) []string {
	var all []string
	for _, one := range list {
		all = append(all, one.title())
	}
	return all
}

// choose reads a list of names out of all; the empty list is all.
func choose(list string, all []string) ([]string, error) {
	if list == "" {
		return all, nil
	}
	chosen := strings.Split(list, ",")
	for _, name := range chosen {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("%q: want one of %s", name, strings.Join(all, ", "))
		}
	}
	return chosen, nil
}

// run sweeps, and prints a line for each command.
func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("making containers: must be root")
	}
	points, failures := 0, 0
	fmt.Printf("%-5s %-9s %-13s %6s %6s %8s\n", "view", "container", "command", "kills", "calls", "failures")
	err = o.sweep(ctx, func(r row) {
		fmt.Printf("%-5s %-9s %-13s %6d %6d %8d\n", r.view, r.kind, r.scenario, r.killed, r.calls, len(r.failures))
		for _, f := range r.failures {
			fmt.Println("  ", f)
		}
		points, failures = points+r.killed, failures+len(r.failures)
	})
	fmt.Printf("%d kills, %d failures\n", points, failures)
	if err == nil && failures > 0 {
		err = errors.New("the runtime lied, or left something behind")
	}
	return err
}

// sweep sweeps all that is asked for, and hands over a row for each command.
func (o options) sweep(ctx context.Context, done func(row)) error {
	for _, v := range o.views {
		err := view.In(v, func(dir string) error { return o.sweepIn(ctx, v, dir, done) })
		var missing view.MissingError
		if errors.As(err, &missing) {
			fmt.Printf("not swept with %s: %v\n", v.Title(), err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// sweepIn sweeps in one view of the cgroups. The thread gets a network namespace
// of its own as well, in which only the containers' sockets are.
func (o options) sweepIn(ctx context.Context, v view.View, dir string, done func(row)) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("making a network namespace: %w", err)
	}
	for _, k := range kinds {
		if !slices.Contains(o.kinds, k.name) {
			continue
		}
		if err := o.sweepKind(ctx, v, k, dir, done); err != nil {
			return fmt.Errorf("a container %s (%s) with %s: %w", k.name, k.about, v.Title(), err)
		}
	}
	return nil
}

// sweepKind sweeps one kind of container.
func (o options) sweepKind(ctx context.Context, v view.View, k kind, dir string, done func(row)) error {
	s, err := newSweep(dir, o.runtime, k)
	if err != nil {
		return err
	}
	defer s.close()
	for _, sc := range scenarios {
		if slices.Contains(o.scenarios, sc.name) {
			r := s.scenario(ctx, sc, o.first, o.every)
			r.view, r.kind = v, k.name
			done(r)
		}
	}
	return s.awaitKeys()
}
