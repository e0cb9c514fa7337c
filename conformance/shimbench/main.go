// Shimbench measures containerd shims side by side, through containerd and ctr:
// the time and processor time of a container's life and of an exec, execs in
// parallel, and the proportional memory of what stays beside containers.
//
//	shimbench [flags] NAME=SHIM ...
//
// A NAME is that of a runtime, such as io.containerd.runc.v2, and SHIM the path
// of its program, or "" where that is in PATH. containerd runs in a mount and a
// network namespace of its own, with its state in a temporary directory, and the
// runtimes take turns.
//
// It is not for measuring runtimes (see bench), nor for a machine that is doing
// something else. It needs root, containerd, runc and busybox-static.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// shim is one that is measured.
type shim struct{ runtime, path string }

// options are what the command line asks for.
type options struct {
	rounds   int
	pods     []int
	parallel []int
	shims    []shim
}

func main() {
	o, err := parse(os.Args[1:])
	if err == nil {
		err = run(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "shimbench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("shimbench", flag.ContinueOnError)
	f.IntVar(&o.rounds, "n", 20, "measure each `number` of times")
	pods := f.String("pods", "1,20", "measure the memory beside so many pods of one container")
	parallel := f.String("parallel", "1,10,50", "measure so many execs at once")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.pods, err = numbers(*pods); err != nil {
		return o, err
	}
	if o.parallel, err = numbers(*parallel); err != nil {
		return o, err
	}
	for _, arg := range f.Args() {
		name, path, _ := strings.Cut(arg, "=")
		if path != "" {
			if path, err = filepath.Abs(path); err != nil {
				return o, err
			}
		}
		o.shims = append(o.shims, shim{name, path})
	}
	if len(o.shims) == 0 {
		return o, fmt.Errorf("no shim is named")
	}
	return o, nil
}

func numbers(text string) (list []int, err error) {
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is not a number of containers", word)
		}
		list = append(list, n)
	}
	return list, nil
}

func run(o options) error {
	d, err := startDaemon(o.shims)
	if err != nil {
		return err
	}
	defer d.stop()
	t := newTable(o.shims)
	if err := d.lives(o, t); err != nil {
		return err
	}
	if err := d.storms(o, t); err != nil {
		return err
	}
	if err := d.memory(o, t); err != nil {
		return err
	}
	return t.print(os.Stdout)
}
