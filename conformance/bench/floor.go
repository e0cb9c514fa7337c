package main

import (
	"context"
	"fmt"

	"github.com/davit-containers/davit/conformance/internal/bundle"
)

// floorLimits are the memory limits to try, in KiB: powers of two and the
// steps half way between.
var floorLimits = []int{64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768}

// floorTries is how often a container must start under a limit.
const floorTries = 10

// measureFloors finds each runtime's floor.
func measureFloors(ctx context.Context, b *bench, s scenario, o options) []result {
	var results []result
	for _, p := range o.peers {
		r := result{view: b.view, scenario: s.name, peer: p.name}
		r.floorKiB, r.err = b.floor(ctx, p)
		results = append(results, r)
	}
	return results
}

// floor is the least of floorLimits, in KiB, under which the runtime starts
// /bin/true in a container floorTries times in a row.
func (b *bench) floor(ctx context.Context, p peer) (int, error) {
	if err := bundle.Write(b.bundle("floor"), bundle.Default()); err != nil {
		return 0, err
	}
	var last error
	for _, kib := range floorLimits {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if last = b.startsUnder(p, kib); last == nil {
			return kib, nil
		}
	}
	return 0, fmt.Errorf("not under %d KiB either: %w", floorLimits[len(floorLimits)-1], last)
}

// startsUnder is nil where every try succeeds.
func (b *bench) startsUnder(p peer, kib int) error {
	spec := bundle.Default()
	spec.Linux.Resources.Memory = bundle.MemoryLimit(kib)
	if err := bundle.WriteConfig(b.bundle("floor"), spec); err != nil {
		return err
	}
	for try := range floorTries {
		id := fmt.Sprintf("bench-%s-%d-%d", p.name, kib, try)
		if _, _, err := b.run(b.command(p, "run", "--bundle", b.bundle("floor"), id)); err != nil {
			b.remove(p, id)
			return err
		}
	}
	return nil
}
