package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/libcontainer"
)

// watching has the flags of davit events.
type watching struct {
	interval time.Duration
	stats    bool
}

// eventsCommand is davit events.
func (p *program) eventsCommand() *cobra.Command {
	var w watching
	cmd := &cobra.Command{
		Use:   "events <container-id>",
		Short: "print what a container uses, and when its memory runs out",
		Long: `Prints JSON, an object a line, until the container stops: what it has used, every 5
seconds unless --interval says otherwise, and at once that the kernel has killed
one of its processes for want of memory.

    {"type":"stats","id":"ubuntu01","data":{"cpu":{},"memory":{},"pids":{}}}
    {"type":"oom","id":"ubuntu01"}`,
		Args: p.exactly(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.events(args[0], w) },
	}
	cmd.Flags().DurationVar(&w.interval, "interval", 5*time.Second, "the `TIME` between statistics, such as 500ms or 1m")
	cmd.Flags().BoolVar(&w.stats, "stats", false, "print the statistics once, and end")
	return cmd
}

// events prints a container's events.
func (p *program) events(id string, w watching) error {
	if w.interval <= 0 {
		return errors.New("duration interval must be greater than 0") // Compat(runc): its text
	}
	container, err := p.load(id)
	if err != nil {
		return err
	}
	defer container.Close()
	if w.stats {
		return stopped(id, p.printStats(container))
	}
	return stopped(id, p.follow(container, w.interval))
}

// stopped says which container it was that does not run.
// Compat(runc): its text.
func stopped(id string, err error) error {
	if errors.Is(err, libcontainer.ErrNotRunning) {
		return &libcontainer.StatusError{Text: fmt.Sprintf("container with id %s is not running", id), Kind: libcontainer.ErrNotRunning}
	}
	return err
}

// follow prints events until the container ends.
func (p *program) follow(c *libcontainer.Container, interval time.Duration) error {
	watch, err := c.Watch()
	if err != nil {
		return err
	}
	defer watch.Close()
	for next := time.Now().Add(interval); ; {
		event, err := watch.Next(next)
		switch {
		case err != nil || event == libcontainer.Ended:
			return err
		case event == libcontainer.OutOfMemory:
			err = p.printEvent(c, "oom", nil)
		default:
			err = p.printStats(c)
			next = nextTick(next, interval, time.Now())
		}
		if err := p.tolerate(err); err != nil {
			return err
		}
	}
}

// nextTick is when statistics are printed again. What was missed, while nobody
// read them, is not made up for.
func nextTick(last time.Time, interval time.Duration, now time.Time) time.Time {
	if next := last.Add(interval); !next.Before(now) {
		return next
	}
	return now.Add(interval)
}

// unwritten is an error of standard output: nobody listens any more.
type unwritten struct{ error }

// tolerate makes a warning of statistics that could not be read this time.
func (p *program) tolerate(err error) error {
	if err == nil || errors.Is(err, libcontainer.ErrNotRunning) {
		return nil
	}
	if out := (unwritten{}); errors.As(err, &out) {
		return out.error
	}
	p.log.warn(err.Error())
	return nil
}

// printStats prints what the container has used up to now.
func (p *program) printStats(c *libcontainer.Container) error {
	stats, err := c.Stats()
	if err != nil {
		return err
	}
	return p.printEvent(c, "stats", statsOf(stats))
}

// printEvent prints one line.
func (p *program) printEvent(c *libcontainer.Container, kind string, data *usage) error {
	if err := json.NewEncoder(p.out).Encode(event{kind, c.ID(), data}); err != nil {
		return unwritten{fmt.Errorf("writing the event: %w", err)}
	}
	return nil
}
