// Command verbs measures programs that run containers from images with Docker's
// words, side by side on the same image: time, processors and memory of what
// people do all day.
//
//	verbs [-n ROUNDS] [-cgroup VIEW] NAME=COMMAND...
//
// COMMAND may have flags, such as "podman=podman --runtime crun". Each program
// gets directories of its own, which are removed at the end. It needs root, and a
// static busybox.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/internal/view"
)

func main() {
	rounds := flag.Int("n", 20, "how often each scenario is measured")
	containers := flag.Int("containers", 200, "how many containers are listed")
	only := flag.String("only", "", "measure only scenarios whose name has this in it")
	cgroup := flag.String("cgroup", "host", "`VIEW` of the cgroups to measure in: v2 (cgroup2 alone), v1 (without the unified hierarchy), host (as it is)")
	flag.Parse()
	views, err := view.Parse(*cgroup)
	for _, v := range views {
		if err == nil {
			err = view.In(v, func(string) error { return run(flag.Args(), *rounds, *containers, *only) })
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "verbs:", err)
		os.Exit(1)
	}
}

func run(specs []string, rounds, containers int, only string) error {
	// What a program leaves running is ours to wait for, and to count.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	dir, err := os.MkdirTemp("", "davit-verbs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var engines []*engine
	for _, spec := range specs {
		name, command, found := strings.Cut(spec, "=")
		if !found {
			return fmt.Errorf("%q: it is not NAME=COMMAND", spec)
		}
		e, err := newEngine(dir, name, strings.Fields(command))
		if err != nil {
			return err
		}
		defer e.remove()
		engines = append(engines, e)
	}
	for _, s := range scenarios(rounds, containers) {
		if !strings.Contains(s.name, only) {
			continue
		}
		if err := s.measure(engines); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}
