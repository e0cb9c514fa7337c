package options

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/davit-containers/davit/shim/container"
)

// health are the flags on health checks.
type health struct {
	command                                       string
	interval, timeout, startPeriod, startInterval time.Duration
	retries                                       int
	off                                           bool
}

func (h *health) add(fs *pflag.FlagSet) {
	fs.StringVar(&h.command, "health-cmd", "", "see by the shell's `COMMAND` whether the container does well")
	fs.DurationVar(&h.interval, "health-interval", 0, "check each `TIME` (default 30s)")
	fs.DurationVar(&h.timeout, "health-timeout", 0, "a check fails that takes longer than `TIME` (default 30s)")
	fs.DurationVar(&h.startPeriod, "health-start-period", 0, "failures do not count in the first `TIME`")
	fs.DurationVar(&h.startInterval, "health-start-interval", 0, "check each `TIME` in that period (default 5s)")
	fs.IntVar(&h.retries, "health-retries", 0, "unhealthy after so many `FAILURES` in a row (default 3)")
	fs.BoolVar(&h.off, "no-healthcheck", false, "check nothing, whatever the image wants")
}

// The defaults.
// Compat(moby): its own.
const (
	healthInterval      = 30 * time.Second
	healthTimeout       = 30 * time.Second
	healthStartInterval = 5 * time.Second
	healthRetries       = 3
)

// config changes the image's check, or is one of its own; nil for none.
func (h *health) config(image *container.Health) (*container.Health, error) {
	if h.off {
		if h.command != "" || h.interval != 0 || h.timeout != 0 || h.startPeriod != 0 || h.startInterval != 0 || h.retries != 0 {
			return nil, errors.New("--no-healthcheck conflicts with --health-* options")
		}
		return nil, nil
	}
	c := container.Health{}
	if image != nil {
		c = *image
	}
	if h.command != "" {
		c.Test = []string{"CMD-SHELL", h.command}
	}
	if err := h.times(&c); err != nil {
		return nil, err
	}
	if h.retries < 0 {
		return nil, fmt.Errorf("--health-retries %d: it is 1 at least", h.retries)
	}
	if h.retries > 0 {
		c.Retries = h.retries
	}
	if c.Retries == 0 {
		c.Retries = healthRetries
	}
	if len(c.Test) == 0 || c.Test[0] == "NONE" {
		return nil, nil
	}
	return &c, nil
}

// times sets those that the flags give, and those that nobody gave.
func (h *health) times(c *container.Health) error {
	for _, d := range [...]struct {
		flag            string
		given, fallback time.Duration
		to              *time.Duration
	}{
		{"--health-interval", h.interval, healthInterval, &c.Interval},
		{"--health-timeout", h.timeout, healthTimeout, &c.Timeout},
		{"--health-start-period", h.startPeriod, 0, &c.StartPeriod},
		{"--health-start-interval", h.startInterval, healthStartInterval, &c.StartInterval},
	} {
		if d.given < 0 || d.given > 0 && d.given < time.Millisecond {
			return fmt.Errorf("%s %s: it is a millisecond at least", d.flag, d.given)
		}
		if d.given != 0 {
			*d.to = d.given
		}
		if *d.to == 0 {
			*d.to = d.fallback
		}
	}
	return nil
}
