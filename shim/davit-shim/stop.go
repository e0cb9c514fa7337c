package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moby/sys/signal"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/supervise"
)

// stopping has the flags of davit-shim stop.
type stopping struct {
	seconds int
	signal  string
	given   func() bool
}

func (s *stopping) add(cmd *cobra.Command) {
	cmd.Flags().IntVarP(&s.seconds, "time", "t", 10, "kill a container that has not ended after so many `SECONDS`; -1 for never (default is the container's)")
	cmd.Flags().Lookup("time").DefValue = "0" // what is said above
	cmd.Flags().StringVarP(&s.signal, "signal", "s", "", "ask by `SIGNAL` (default is the container's)")
	s.given = func() bool { return cmd.Flags().Changed("time") }
	cmd.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "timeout" { // Compat(moby): its newer name
			name = "time"
		}
		return pflag.NormalizedName(name)
	})
}

// options are what the flags say.
func (s *stopping) options() (o supervise.StopOptions, err error) {
	if s.signal != "" {
		if o.Signal, err = signalOf(s.signal); err != nil {
			return o, err
		}
	}
	if s.given() {
		timeout := time.Duration(s.seconds) * time.Second
		o.Timeout = &timeout
	}
	return o, nil
}

// signalOf is a signal by its name or number.
// Compat(moby): its words.
func signalOf(text string) (unix.Signal, error) {
	sig, err := signal.ParseSignal(text)
	if err != nil {
		return 0, fmt.Errorf("Invalid signal: %s", text)
	}
	return sig, nil
}

// stopCommand is davit-shim stop.
func (p *program) stopCommand() *cobra.Command {
	var s stopping
	cmd := &cobra.Command{
		Use:   "stop CONTAINER...",
		Short: "ask containers to end, and kill those that do not",
		Long: `Sends each container the signal that asks it to end, SIGTERM by default, and SIGKILL
when it has not ended in time. A container that was stopped is not started again by
its restart policy. One that does not run is no error.`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := s.options()
			if err != nil {
				return err
			}
			return p.each(args, func(c *container.Container) error { return stop(cmd.Context(), c, o) })
		},
	}
	s.add(cmd)
	return cmd
}

// stop ends a container, if it runs.
func stop(ctx context.Context, c *container.Container, o supervise.StopOptions) error {
	client, err := supervise.Dial(c)
	if errors.Is(err, supervise.ErrNotRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Stop(ctx, o); err != nil {
		return err
	}
	return client.End(ctx)
}

// running speaks to the supervisor of a container that runs.
// Compat(moby): its words.
func running(c *container.Container) (*supervise.Client, error) {
	client, err := supervise.Dial(c)
	if errors.Is(err, supervise.ErrNotRunning) {
		return nil, fmt.Errorf("Container %s is not running", c.Config.ID)
	}
	return client, err
}
