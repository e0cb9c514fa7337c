package main

import (
	"context"
	"fmt"
	"time"

	"github.com/davit-containers/davit/conformance/internal/view"
)

// result is what one runtime did in one scenario.
type result struct {
	view     view.View
	scenario string
	peer     string
	wall     []time.Duration          // one a round
	cpu      []time.Duration          // user and system, one a round
	peakKiB  []int                    // resident memory of the largest process, a few rounds
	floorKiB int                      // memory-floor only
	events   map[string][]disturbance // of each operation; events only
	err      error                    // why there are no figures
}

// peakRounds is how often peak memory is looked at: it hardly varies.
const peakRounds = 5

// turn is one runtime's part in a scenario.
type turn struct {
	*bench
	scenario scenario
	peer     peer
	result   *result
}

// measureRounds runs the scenario's steps round by round, with all runtimes
// in each round. A runtime that fails is left out from then on.
func measureRounds(ctx context.Context, b *bench, s scenario, o options) []result {
	results := make([]result, len(o.peers))
	turns := make([]turn, len(o.peers))
	for i, p := range o.peers {
		results[i] = result{view: b.view, scenario: s.name, peer: p.name}
		turns[i] = turn{b, s, p, &results[i]}
		turns[i].prepare()
	}
	for round := -o.warmup; round < o.rounds && ctx.Err() == nil; round++ {
		for i := range turns { // another begins each time: being first is not always the same one's luck
			turns[(i+o.rounds+o.warmup+round)%len(turns)].sample(round)
		}
	}
	for i := range turns {
		turns[i].lookAtPeak()
		turns[i].finish()
	}
	return results
}

// id is the container's in a round; in scenarios with a container for all
// rounds, always the same. It names the runtime, as cgroups are named after it.
func (t turn) id(round int) string {
	if t.scenario.before != nil {
		return "bench-" + t.peer.name
	}
	return fmt.Sprintf("bench-%s-%d", t.peer.name, round)
}

// prepare makes the container that the rounds share.
func (t turn) prepare() {
	if t.scenario.before == nil {
		return
	}
	for _, argv := range t.scenario.before(t.bench, t.peer, t.id(0)) {
		if _, _, err := t.run(argv); err != nil {
			t.fail(err, t.id(0))
			return
		}
	}
}

// sample is one round. Rounds below 0 warm up.
func (t turn) sample(round int) {
	if t.result.err != nil {
		return
	}
	var wall, cpu time.Duration
	id := t.id(round)
	for _, argv := range t.scenario.steps(t.bench, t.peer, id) {
		w, c, err := t.run(argv)
		if err != nil {
			t.fail(err, id)
			return
		}
		wall, cpu = wall+w, cpu+c
	}
	cpu += drain()
	if round >= 0 {
		t.result.wall = append(t.result.wall, wall)
		t.result.cpu = append(t.result.cpu, cpu)
	}
}

// lookAtPeak finds the largest process of the scenario's steps.
func (t turn) lookAtPeak() {
	for round := range peakRounds {
		if t.result.err != nil {
			return
		}
		peak, id := 0, t.id(round)
		for _, argv := range t.scenario.steps(t.bench, t.peer, id) {
			kib, err := t.bench.peakKiB(argv)
			if err != nil {
				t.fail(err, id)
				return
			}
			peak = max(peak, kib)
		}
		t.result.peakKiB = append(t.result.peakKiB, peak)
		drain()
	}
}

// finish takes away what prepare made.
func (t turn) finish() {
	if t.scenario.before != nil && t.result.err == nil {
		t.remove(t.peer, t.id(0))
	}
}

// fail notes why the runtime has no figures, and tidies up.
func (t turn) fail(err error, id string) {
	t.result.err = err
	t.remove(t.peer, id)
}
