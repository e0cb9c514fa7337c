package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/logs"
	"github.com/davit-containers/davit/shim/supervise"
)

// reading has the flags of davit-shim logs.
type reading struct {
	follow, timestamps bool
	since, until, tail string
}

// logsCommand is davit-shim logs.
func (p *program) logsCommand() *cobra.Command {
	var r reading
	cmd := &cobra.Command{
		Use:   "logs CONTAINER",
		Short: "print what a container has written",
		Long: `Prints what a container wrote to its standard output and error, byte for byte, to
the same two. With --follow it goes on until the container ends, or until it is
interrupted.`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error { return p.logs(cmd.Context(), r, args[0]) },
	}
	fs := cmd.Flags()
	fs.BoolVarP(&r.follow, "follow", "f", false, "go on with what is written later")
	fs.BoolVarP(&r.timestamps, "timestamps", "t", false, "print the time before each line")
	fs.StringVar(&r.since, "since", "", "begin at a `TIME`, or so long ago, such as 10m")
	fs.StringVar(&r.until, "until", "", "end at a `TIME`, or so long ago")
	fs.StringVarP(&r.tail, "tail", "n", "all", "begin with the last `N` lines")
	return cmd
}

// query is what the flags say.
func (r *reading) query(p *program) (q logs.Query, err error) {
	q = logs.Query{Tail: logs.AllLines, Follow: r.follow}
	if r.tail != "all" {
		if q.Tail, err = strconv.Atoi(r.tail); err != nil {
			return q, fmt.Errorf("--tail %q: it is a number, or all", r.tail)
		}
	}
	if r.since != "" {
		if q.Since, err = moment(r.since, p.now()); err != nil {
			return q, fmt.Errorf("--since %q: %w", r.since, err)
		}
	}
	if r.until != "" {
		if q.Until, err = moment(r.until, p.now()); err != nil {
			return q, fmt.Errorf("--until %q: %w", r.until, err)
		}
	}
	return q, nil
}

func (p *program) logs(ctx context.Context, r reading, ref string) error {
	c, err := p.container(ref)
	if err != nil {
		return err
	}
	q, err := r.query(p)
	if err != nil {
		return err
	}
	if q.Follow {
		ended, stop, err := untilEnd(ctx, c)
		if err != nil {
			return err
		}
		defer stop()
		q.Ended = ended
	}
	out := logs.Output{Stdout: p.out, Stderr: p.err, Timestamps: r.timestamps}
	switch logs.Driver(c.Config.Log.Driver) {
	case logs.Journald:
		err = logs.CopyJournal(ctx, c.Config.ID, q, out)
	case logs.None:
		return errors.New("configured logging driver does not support reading") // Compat(moby): its words
	default:
		err = logs.Copy(ctx, supervise.LogPath(c), q, out)
	}
	if errors.Is(err, context.Canceled) {
		return nil // as it was asked to
	}
	return err
}

// untilEnd is closed when the container has ended, and its log is complete.
func untilEnd(ctx context.Context, c *container.Container) (ended <-chan struct{}, stop func(), err error) {
	done := make(chan struct{})
	client, err := supervise.Dial(c)
	if errors.Is(err, supervise.ErrNotRunning) {
		close(done)
		return done, func() {}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	go func() {
		client.End(ctx)
		close(done)
	}()
	return done, client.Close, nil
}
