package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"
)

// stormSize is how many commands a runtime executes in a storm at least, in all
// batches together, for each round asked for.
const stormSize = 4

// measureStorms executes the scenario's steps s.width at a time, in batches in
// which the runtimes take turns. A sample of wall time is one command's, among
// the others; one of processor time is a batch's, for each command.
func measureStorms(ctx context.Context, b *bench, s scenario, o options) []result {
	results := make([]result, len(o.peers))
	turns := make([]turn, len(o.peers))
	for i, p := range o.peers {
		results[i] = result{view: b.view, scenario: s.name, peer: p.name}
		turns[i] = turn{b, s, p, &results[i]}
		turns[i].prepare()
	}
	size := max(2*s.width, 10)
	batches := (stormSize*o.rounds + size - 1) / size
	for batch := -1; batch < batches && ctx.Err() == nil; batch++ { // the first warms up
		for i := range turns {
			turns[(i+1+batch)%len(turns)].storm(size, batch)
		}
	}
	for i := range turns {
		turns[i].finish()
	}
	return results
}

// storm is one batch.
func (t turn) storm(size, batch int) {
	if t.result.err != nil {
		return
	}
	argv := t.scenario.steps(t.bench, t.peer, t.id(0))[0]
	wall, cpu, err := t.sideBySide(argv, size, t.scenario.width)
	if err != nil {
		t.fail(err, t.id(0))
		return
	}
	if batch >= 0 {
		t.result.wall = append(t.result.wall, wall...)
		t.result.cpu = append(t.result.cpu, cpu/time.Duration(size))
	}
}

// sideBySide executes a command size times, width of them at a time, and gives
// the wall time of each and the processor time of all.
func (l *launcher) sideBySide(argv []string, size, width int) (wall []time.Duration, cpu time.Duration, err error) {
	if err := l.stderr.Truncate(0); err != nil {
		return nil, 0, err
	}
	drain()
	attr := syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{l.null.Fd(), l.null.Fd(), l.stderr.Fd()}}
	began := map[int]time.Time{}
	for started := 0; len(wall) < size; {
		for started < size && len(began) < width && err == nil {
			now := time.Now()
			pid, e := syscall.ForkExec(argv[0], argv, &attr)
			if e != nil {
				return nil, 0, fmt.Errorf("starting %s: %w", argv[0], e)
			}
			began[pid] = now
			started++
		}
		if len(began) == 0 {
			break
		}
		pid, status, used, e := waitAny()
		if e != nil {
			return nil, 0, e
		}
		cpu += used
		if begin, ours := began[pid]; ours {
			wall = append(wall, time.Since(begin))
			delete(began, pid)
			if e := l.verdict(status, inTime); e != nil && err == nil {
				err = e
			}
		}
	}
	return wall, cpu + drain(), err
}

// waitAny waits for any child.
func waitAny() (pid int, status syscall.WaitStatus, cpu time.Duration, err error) {
	var usage syscall.Rusage
	for {
		pid, err = syscall.Wait4(-1, &status, 0, &usage)
		if err == nil {
			return pid, status, processorTime(&usage), nil
		}
		if err != syscall.EINTR {
			return 0, 0, 0, fmt.Errorf("waiting for commands: %w", err)
		}
	}
}
