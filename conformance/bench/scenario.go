package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// commands are command lines to run one after the other.
type commands [][]string

// scenario is one thing to measure.
type scenario struct {
	name  string
	about string
	needs string // a cgroup controller, or ""
	// measure gives one result for each runtime.
	measure func(context.Context, *bench, scenario, options) []result
	// steps are the commands whose time is the sample.
	steps func(b *bench, p peer, id string) commands
	// before makes the container that all rounds of a runtime use; nil where
	// the steps make their own.
	before func(b *bench, p peer, id string) commands
	width  int // how many commands at a time; 0 for one, of which each is watched alone
}

// scenarios are all that can be measured, in order.
var scenarios = []scenario{
	{
		name: "run", about: "run /bin/true with the default configuration",
		measure: measureRounds,
		steps: func(b *bench, p peer, id string) commands {
			return commands{b.command(p, "run", "--bundle", b.bundle("default"), id)}
		},
	},
	{
		name: "run-full", about: "the same with Docker's kind of seccomp profile, 20 mounts and limits",
		measure: measureRounds,
		steps: func(b *bench, p peer, id string) commands {
			return commands{b.command(p, "run", "--bundle", b.bundle("full"), id)}
		},
	},
	{
		name: "create+start+delete", about: "create, start, delete --force of /bin/true",
		measure: measureRounds,
		steps: func(b *bench, p peer, id string) commands {
			return commands{
				b.command(p, "create", "--bundle", b.bundle("default"), id),
				b.command(p, "start", id),
				b.command(p, "delete", "--force", id),
			}
		},
	},
	{
		name: "state", about: "state of a created container",
		measure: measureRounds,
		before: func(b *bench, p peer, id string) commands {
			return commands{b.command(p, "create", "--bundle", b.bundle("default"), id)}
		},
		steps: func(b *bench, p peer, id string) commands {
			return commands{b.command(p, "state", id)}
		},
	},
	{
		name: "exec", about: "exec of /bin/true in a container that runs",
		measure: measureRounds,
		before:  runLasting,
		steps: func(b *bench, p peer, id string) commands {
			return commands{b.command(p, "exec", id, "/bin/true")}
		},
	},
	execStorm(1),
	execStorm(10),
	execStorm(50),
	execStorm(100),
	{
		name: "version", about: "--version",
		measure: measureRounds,
		steps:   func(_ *bench, p peer, _ string) commands { return commands{{p.path, "--version"}} },
	},
	{
		name: "events", about: "changes of the host's mount table, and messages to D-Bus, of each operation",
		measure: measureEvents,
	},
	{
		name: "memory-floor", about: "the least memory limit under which /bin/true starts and exits with 0",
		needs: "memory", measure: measureFloors,
	},
}

// runLasting brings a container there whose program stays.
func runLasting(b *bench, p peer, id string) commands {
	return commands{
		b.command(p, "create", "--bundle", b.bundle("lasting"), id),
		b.command(p, "start", id),
	}
}

// execStorm is many execs at a time.
func execStorm(width int) scenario {
	return scenario{
		name: fmt.Sprintf("exec-storm-%d", width), about: fmt.Sprintf("exec of /bin/true in a container that runs, %d at a time", width),
		measure: measureStorms,
		before:  runLasting,
		width:   width,
		steps: func(b *bench, p peer, id string) commands {
			return commands{b.command(p, "exec", id, "/bin/true")}
		},
	}
}

// high is the quantile in the table's third column: of a storm, what one in a
// hundred commands waits.
func (s scenario) high() float64 {
	if s.width > 0 {
		return 0.99
	}
	return 0.9
}

// scenarioNames are the names that -only takes.
func scenarioNames() []string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

// scenarioSet reads a list of names; the empty list is nil, for all.
func scenarioSet(list string) (map[string]bool, error) {
	if list == "" {
		return nil, nil
	}
	names, set := scenarioNames(), map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("scenario %q: want one of %s", name, strings.Join(names, ", "))
		}
		set[name] = true
	}
	return set, nil
}
