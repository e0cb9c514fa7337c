// Leaks makes many containers with an OCI runtime, some at once and then one
// after the other, and looks at what the host has more than before.
//
//	leaks [flags] name=path
//
// Each container is created, started, entered by exec, and deleted. What must
// be gone with it: processes, cgroups, mounts, files, sockets. What the kernel
// frees in its own time, and other programs use as well (open files, keys, BPF
// programs, cgroups that are dying), must not have grown by a part of the
// number of containers.
//
// It is not for a runtime that is killed: that is the sweep's. It needs root and
// busybox-static.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/internal/view"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = o.run(ctx, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "leaks:", err)
		os.Exit(1)
	}
}

// options are what the command line asks for.
type options struct {
	atOnce     int // containers made side by side
	width      int // how many of them at a time
	inSequence int // containers made one after the other
	views      []view.View
	grace      time.Duration // how long what is left of removed containers may take to be gone
	runtime    string        // absolute
	noise      int           // by how much other programs may raise the machine's counts; 0 for a quarter of the containers
}

// parse reads the command line.
func parse(args []string) (options, error) {
	o := options{grace: 10 * time.Second}
	flags := flag.NewFlagSet("leaks", flag.ContinueOnError)
	flags.IntVar(&o.atOnce, "at-once", 200, "make `N` containers side by side")
	flags.IntVar(&o.width, "width", 16, "`N` of them at a time")
	flags.IntVar(&o.inSequence, "in-sequence", 1000, "then make `N` containers one after the other")
	views := flags.String("cgroup", "host,v2", "`VIEWS` of the cgroups: v2 (cgroup2 alone), v1 (without the unified hierarchy), host (as it is)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() != 1 || o.width < 1 {
		return o, errors.New("want one runtime as name=path, and -width at least 1")
	}
	var err error
	if o.views, err = view.Parse(*views); err != nil {
		return o, err
	}
	_, path, _ := strings.Cut(flags.Arg(0), "=")
	o.runtime, err = filepath.Abs(path)
	return o, err
}

// allowance is by how much a count may have grown.
func (o options) allowance() allowance {
	a := allowance{containers: o.atOnce + o.inSequence, more: o.noise}
	if a.more == 0 {
		a.more = a.containers / 4
	}
	return a
}

// run looks for leaks in each view, and says what it found.
func (o options) run(ctx context.Context, out io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("making containers: must be root")
	}
	var all []string
	for _, v := range o.views {
		var found []string
		err := view.In(v, func(dir string) (err error) {
			found, err = o.in(ctx, v, dir, out)
			return err
		})
		var missing view.MissingError
		if errors.As(err, &missing) {
			fmt.Fprintf(out, "%s: not looked at: %v\n", v.Title(), err)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", v.Title(), err)
		}
		for _, one := range found {
			all = append(all, v.Title()+": "+one)
		}
	}
	if len(all) > 0 {
		return errors.New(strings.Join(all, "\nleaks: "))
	}
	return nil
}

// in makes the containers in one view of the cgroups, and gives what is left.
// The thread gets a network namespace of its own, in which only the
// containers' sockets are.
func (o options) in(ctx context.Context, v view.View, dir string, out io.Writer) ([]string, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("making a network namespace: %w", err)
	}
	c, err := newCrowd(dir, o)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := c.make(ctx, 1, 1); err != nil { // what the first leaves for all is not left behind
		return nil, err
	}
	before, err := c.look()
	if err != nil {
		return nil, err
	}
	if err := c.make(ctx, o.atOnce, o.width); err != nil {
		return nil, err
	}
	if err := c.make(ctx, o.inSequence, 1); err != nil {
		return nil, err
	}
	after, err := c.settle(before, o.allowance())
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "%s: %d containers with %d at a time, then %d in sequence\n", v.Title(), o.atOnce, o.width, o.inSequence)
	after.print(out, before)
	return after.leaks(before, o.allowance()), nil
}
