package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// lives measures `ctr run --rm` and `ctr task exec`, by turns.
func (d *daemon) lives(o options, t *table) error {
	for _, s := range o.shims {
		if err := d.runDetached(s, "box-"+s.runtime); err != nil {
			return err
		}
		defer d.remove("box-" + s.runtime)
	}
	for round := range o.rounds + 1 {
		for _, s := range o.shims {
			run, err := timed(func() error {
				return d.must("run", "--rm", "--runtime", s.runtime, image, fmt.Sprintf("run-%d", round), "/bin/true")
			})
			if err != nil {
				return err
			}
			exec, err := timed(func() error {
				return d.must("task", "exec", "--exec-id", fmt.Sprintf("e%d", round), "box-"+s.runtime, "/bin/true")
			})
			if err != nil {
				return err
			}
			if round > 0 { // the first one warms up
				t.add("run --rm, ms", s, run)
				t.add("exec, ms", s, exec)
			}
		}
	}
	return nil
}

// timed is how long something takes, in milliseconds.
func timed(do func() error) (float64, error) {
	begin := time.Now()
	err := do()
	return float64(time.Since(begin).Microseconds()) / 1000, err
}

// storms measures execs in parallel.
func (d *daemon) storms(o options, t *table) error {
	for _, s := range o.shims {
		id := "storm-" + s.runtime
		if err := d.runDetached(s, id); err != nil {
			return err
		}
		for _, n := range o.parallel {
			if err := d.storm(s, id, n, t); err != nil {
				return err
			}
		}
		if err := d.remove(id); err != nil {
			return err
		}
	}
	return nil
}

func (d *daemon) storm(s shim, id string, n int, t *table) error {
	var mu sync.Mutex
	var group sync.WaitGroup
	var times []float64
	var failure error
	for i := range n {
		group.Go(func() {
			ms, err := timed(func() error {
				return d.must("task", "exec", "--exec-id", fmt.Sprintf("s%d-%d", n, i), id, "/bin/true")
			})
			mu.Lock()
			defer mu.Unlock()
			times = append(times, ms)
			if err != nil {
				failure = err
			}
		})
	}
	group.Wait()
	slices.Sort(times)
	t.add(fmt.Sprintf("%d execs at once, p50, ms", n), s, times[len(times)/2])
	t.add(fmt.Sprintf("%d execs at once, p99, ms", n), s, times[len(times)*99/100])
	return failure
}

func (d *daemon) runDetached(s shim, id string, flags ...string) error {
	args := append([]string{"run", "--detach", "--runtime", s.runtime}, flags...)
	return d.must(append(args, image, id, "/bin/sleep", "100000")...)
}

func (d *daemon) remove(id string) error {
	if err := d.must("task", "rm", "--force", id); err != nil {
		return err
	}
	return d.must("container", "rm", id)
}

// memory measures what stays beside pods of one container, and what a further
// container of a pod adds.
func (d *daemon) memory(o options, t *table) error {
	for _, s := range o.shims {
		for _, n := range o.pods {
			total, err := d.beside(s, n)
			if err != nil {
				return err
			}
			t.add(fmt.Sprintf("memory per pod, of %d, MB", n), s, total/float64(n))
		}
		one, err := d.beside(s, 1, "--annotation", "io.containerd.runc.v2.group=shimbench")
		if err != nil {
			return err
		}
		const further = 20
		many, err := d.beside(s, 1+further, "--annotation", "io.containerd.runc.v2.group=shimbench")
		if err != nil {
			return err
		}
		t.add("memory per further container of a pod, MB", s, (many-one)/further)
	}
	return nil
}

// settleTime lets a program give memory back that it does not need.
const settleTime = 5 * time.Second

// beside is the proportional memory of all processes of a shim while so many
// containers run, in MB.
func (d *daemon) beside(s shim, containers int, flags ...string) (mb float64, err error) {
	for i := range containers {
		id := fmt.Sprintf("pod%d", i)
		if err := d.runDetached(s, id, flags...); err != nil {
			return 0, err
		}
		defer d.remove(id)
	}
	time.Sleep(settleTime)
	return d.proportional()
}

// proportional sums the memory of this containerd's shims, and of what they
// are started by: all that has its address on the command line.
func (d *daemon) proportional() (mb float64, err error) {
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		line, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(line), d.dir+"/c.sock") || !strings.Contains(string(line), "shim") {
			continue
		}
		kb, err := pss(filepath.Dir(name))
		if err != nil {
			return 0, err
		}
		mb += float64(kb) / 1024
	}
	return mb, nil
}

// pss is a process's proportional set size, in KiB.
func pss(dir string) (int, error) {
	data, err := os.ReadFile(dir + "/smaps_rollup")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
			return strconv.Atoi(f[1])
		}
	}
	return 0, fmt.Errorf("%s has no Pss", dir)
}
