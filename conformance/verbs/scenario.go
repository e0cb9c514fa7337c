package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// scenario is something that people do.
type scenario struct {
	name    string
	rounds  int
	prepare func(e *engine) error
	do      func(e *engine, round int) error
	finish  func(e *engine) error
	prints  bool // by itself, what is not a time
}

// sample is one round's.
type sample struct{ wall, cpu time.Duration }

// scenarios are those that are measured. The containers have no network: what
// that costs is its plugins' time.
func scenarios(rounds, containers int) []scenario {
	return []scenario{
		{name: "run --rm", rounds: rounds, do: func(e *engine, _ int) error {
			return e.container("run", "--rm", "--network", "none", imageName, "/bin/true")
		}},
		{name: "run -d, exec, stop, rm", rounds: rounds, do: life},
		{name: fmt.Sprintf("ps -a of %d", containers), rounds: rounds, prepare: func(e *engine) error { return fill(e, containers) }, do: func(e *engine, _ int) error {
			out, err := e.output("ps", "-a", "-q")
			if n := len(strings.Fields(out)); err == nil && n < containers {
				err = fmt.Errorf("%s lists %d containers", e.name, n)
			}
			return err
		}, finish: empty},
		{name: "build, cold", rounds: max(1, rounds/4), prepare: dockerfile, do: func(e *engine, _ int) error {
			_, err := e.output("build", "-q", "--no-cache", "-t", "localhost/built", e.context())
			return err
		}},
		{name: "build, cached", rounds: max(1, rounds/4), prepare: func(e *engine) error {
			_, err := e.output("build", "-q", "-t", "localhost/built", e.context())
			return err
		}, do: func(e *engine, _ int) error {
			_, err := e.output("build", "-q", "-t", "localhost/built", e.context())
			return err
		}},
		{name: "memory", rounds: 1, do: memory, prints: true},
	}
}

// life is a container's, from its start to its removal.
func life(e *engine, round int) error {
	name := "life-" + strconv.Itoa(round)
	const script = "trap 'exit 0' TERM; while :; do sleep 0.01; done"
	if err := e.container("run", "-d", "--name", name, "--network", "none", imageName, "/bin/sh", "-c", script); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"exec", name, "/bin/true"},
		{"stop", name},
		{"rm", name},
	} {
		if _, err := e.output(args...); err != nil {
			return err
		}
	}
	return nil
}

// fill makes containers, which are not started.
func fill(e *engine, n int) error {
	for range n {
		if err := e.container("create", "--network", "none", imageName, "/bin/true"); err != nil {
			return err
		}
	}
	return nil
}

// empty removes all containers.
func empty(e *engine) error {
	ids, err := e.output("ps", "-a", "-q")
	if err == nil && ids != "" {
		_, err = e.output(append([]string{"rm", "-f"}, strings.Fields(ids)...)...)
	}
	return err
}

func (e *engine) context() string { return filepath.Join(e.dir, "context") }

// dockerfile makes one of ten steps.
func dockerfile(e *engine) error {
	if err := os.MkdirAll(e.context(), 0o755); err != nil {
		return err
	}
	text := "FROM " + imageName + "\nENV A=1\nWORKDIR /steps\nCOPY file .\n"
	for i := range 6 {
		text += fmt.Sprintf("RUN echo %d >/steps/%d\n", i, i)
	}
	if err := os.WriteFile(filepath.Join(e.context(), "file"), []byte("content\n"), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(e.context(), "Dockerfile"), []byte(text), 0o644)
}

// memory prints what stays beside a container that runs: the proportional set
// size of all that the program left running but the container's own process.
func memory(e *engine, _ int) error {
	if err := e.container("run", "-d", "--name", "memory", "--network", "none", imageName, "/bin/sleep", "600"); err != nil {
		return err
	}
	time.Sleep(settled)
	kib := 0
	for _, pid := range descendants(os.Getpid()) {
		if args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && !strings.Contains(string(args), "sleep\x00600") {
			kib += pss(pid)
		}
	}
	fmt.Printf("%-26s%-14s%10.1f MiB beside a container\n", "memory", e.name, float64(kib)/1024)
	_, err := e.output("rm", "-f", "memory")
	return err
}

// settled is after which time a program has given back what it needed to start.
const settled = 4 * time.Second

// measure does the rounds in turn, and prints the medians.
func (s *scenario) measure(engines []*engine) error {
	samples := map[*engine][]sample{}
	for _, e := range engines {
		if s.prepare != nil {
			if err := s.prepare(e); err != nil {
				return err
			}
		}
		reap()
	}
	for round := range s.rounds {
		for _, e := range engines {
			cpu, begin := processors(), time.Now()
			if err := s.do(e, round); err != nil {
				return err
			}
			wall := time.Since(begin)
			reap()
			samples[e] = append(samples[e], sample{wall, processors() - cpu})
		}
	}
	for _, e := range engines {
		if s.finish != nil {
			if err := s.finish(e); err != nil {
				return err
			}
		}
		if !s.prints {
			wall, cpu := medians(samples[e])
			fmt.Printf("%-26s%-14s%10.1f ms%10.1f ms of processors\n", s.name, e.name, milliseconds(wall), milliseconds(cpu))
		}
	}
	return nil
}

func medians(list []sample) (wall, cpu time.Duration) {
	walls, cpus := []time.Duration{}, []time.Duration{}
	for _, s := range list {
		walls, cpus = append(walls, s.wall), append(cpus, s.cpu)
	}
	slices.Sort(walls)
	slices.Sort(cpus)
	return walls[len(walls)/2], cpus[len(cpus)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// descendants are all processes below one.
func descendants(of int) (all []int) {
	paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", of))
	for _, path := range paths {
		data, _ := os.ReadFile(path)
		for _, field := range strings.Fields(string(data)) {
			if pid, err := strconv.Atoi(field); err == nil {
				all = append(append(all, pid), descendants(pid)...)
			}
		}
	}
	return all
}

// pss is a process's proportional set size, in KiB.
func pss(pid int) int {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for line := range strings.Lines(string(data)) {
		if text, found := strings.CutPrefix(line, "Pss:"); found {
			n, _ := strconv.Atoi(strings.Fields(text)[0])
			return n
		}
	}
	return 0
}
