package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"golang.org/x/sys/unix"
)

// disturbance is what an operation makes others on the host do: those who
// watch the mount table, and systemd.
type disturbance struct {
	Mounts   int `json:"mounts"`
	Messages int `json:"messages"`
}

// operations are the commands of a life that is watched, in order.
var operations = []string{"create", "start", "exec", "delete"}

// eventRounds is how many lives are watched: they hardly differ.
const eventRounds = 5

// hasSystemd says whether systemd manages the cgroups here, and listens.
func hasSystemd() bool {
	_, running := os.Stat("/run/systemd/system")
	_, listens := os.Stat(systemBus)
	return running == nil && listens == nil
}

// measureEvents counts what each operation of a container's life makes others do.
// Where systemd runs, it makes the cgroups.
func measureEvents(ctx context.Context, b *bench, s scenario, o options) []result {
	results := make([]result, len(o.peers))
	for i, p := range o.peers {
		results[i] = result{view: b.view, scenario: s.name, peer: p.name}
		results[i].events, results[i].err = b.watchLives(ctx, p)
	}
	return results
}

// watchLives watches some lives of one runtime's containers. The mounts of our
// namespace are shared meanwhile, as on a host with systemd, so that what a
// container's namespace lets through is seen.
func (b *bench) watchLives(ctx context.Context, p peer) (map[string][]disturbance, error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return nil, fmt.Errorf("sharing mounts: %w", err)
	}
	defer unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	mounts, err := watchMounts()
	if err != nil {
		return nil, err
	}
	defer mounts.close()
	bus, err := watchBus(b.dir)
	if err != nil {
		return nil, err
	}
	defer bus.close()
	seen := map[string][]disturbance{}
	for round := 0; round < eventRounds && ctx.Err() == nil && err == nil; round++ {
		err = b.watchLife(p, fmt.Sprintf("bench-%s-%d", p.name, round), mounts, bus, seen)
	}
	return seen, errors.Join(err, ctx.Err())
}

// watchLife watches one life.
func (b *bench) watchLife(p peer, id string, mounts *mountWatch, bus *busWatch, seen map[string][]disturbance) error {
	for _, operation := range operations {
		args := map[string][]string{
			"create": {"--bundle", b.bundle("lasting"), id},
			"start":  {id},
			"exec":   {id, "/bin/true"},
			"delete": {"--force", id},
		}[operation]
		argv := b.command(p, append([]string{operation}, args...)...)
		if hasSystemd() {
			argv = append([]string{argv[0], "--systemd-cgroup"}, argv[1:]...)
		}
		if _, _, err := b.run(argv); err != nil {
			b.remove(p, id)
			return fmt.Errorf("%s: %w", operation, err)
		}
		drain()
		n, err := mounts.count()
		if err != nil {
			return err
		}
		seen[operation] = append(seen[operation], disturbance{n, bus.count()})
	}
	return nil
}

// printEvents prints the medians.
func printEvents(w io.Writer, rows []result) {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	heads := "\t"
	for _, what := range []string{"mounts", "D-Bus"} {
		for _, operation := range operations {
			heads += what + " " + operation + "\t"
		}
	}
	fmt.Fprintln(out, heads)
	for _, r := range rows {
		if r.err != nil {
			continue
		}
		line := r.peer + "\t"
		for _, pick := range []func(disturbance) int{disturbance.ofMounts, disturbance.ofMessages} {
			for _, operation := range operations {
				line += fmt.Sprintf("%d\t", median(each(r.events[operation], pick)))
			}
		}
		fmt.Fprintln(out, line)
	}
	out.Flush()
	printFailures(w, rows)
}

func (d disturbance) ofMounts() int   { return d.Mounts }
func (d disturbance) ofMessages() int { return d.Messages }

// each picks one figure of each.
func each(all []disturbance, pick func(disturbance) int) []int {
	var figures []int
	for _, d := range all {
		figures = append(figures, pick(d))
	}
	return figures
}
