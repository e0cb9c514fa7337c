package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/shim/bundledir"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/network"
	"github.com/davit-containers/davit/shim/supervise"
)

// bundleOf is the bundle in a directory, or a container's, which is returned too.
//
// Errors: [container.ErrNotExist] where there is neither.
func (p *program) bundleOf(ref string) (*bundledir.Bundle, *container.Container, error) {
	if bundledir.Is(ref) {
		b, err := bundledir.Open(ref)
		return b, nil, err
	}
	c, err := p.container(ref)
	if errors.Is(err, container.ErrNotExist) && strings.ContainsRune(ref, '/') {
		_, err = bundledir.Open(ref) // a directory was meant
	}
	if err != nil {
		return nil, nil, err
	}
	b, err := bundledir.Open(c.Bundle())
	return b, c, err
}

// paused does something while a container, if there is one and it runs, is paused:
// until this program ends at the latest. One of a user's without a cgroup goes on.
func (p *program) paused(ctx context.Context, c *container.Container, wanted bool, do func() error) error {
	if c == nil || !wanted {
		return do()
	}
	state, err := c.State()
	if err != nil {
		return err
	}
	if state.Status != container.Running {
		return do()
	}
	client, err := supervise.Dial(c)
	if errors.Is(err, supervise.ErrNotRunning) {
		return do()
	}
	if err != nil {
		return err
	}
	defer client.Close()
	err = client.KeepStill(ctx)
	if errors.Is(err, supervise.ErrNoCgroup) {
		fmt.Fprintf(p.err, "%s: container %s has no cgroup to pause it by, and goes on meanwhile\n", name, c.Config.Name)
		return do()
	}
	if err != nil && !errors.Is(err, supervise.ErrNotRunning) {
		return err
	}
	return errors.Join(do(), client.LetGo(context.WithoutCancel(ctx)))
}

// defaultsOf makes what a container was made with the defaults of its image.
func defaultsOf(c container.Config, made *image.Config) {
	image := &made.Config
	own := func(entry string) bool { // what is this container's alone
		return entry == "HOSTNAME="+c.Hostname || c.Terminal && entry == "TERM=xterm"
	}
	image.Env = slices.DeleteFunc(slices.Clone(c.Env), own)
	image.Cmd, image.Entrypoint, image.User, image.WorkingDir, image.StopSignal = c.Cmd, c.Entrypoint, c.User, c.WorkDir, c.StopSignal
	image.Labels = maps.Clone(c.Labels)
	for _, p := range slices.Concat(c.Network.Exposed, c.Network.Ports) {
		expose(image, p)
	}
	if h := c.Health; h != nil {
		image.Healthcheck = &v1.HealthConfig{Test: h.Test, Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, Retries: h.Retries}
		made.StartInterval = h.StartInterval
	}
}

func expose(image *v1.Config, p network.Port) {
	if image.ExposedPorts == nil {
		image.ExposedPorts = map[string]struct{}{}
	}
	image.ExposedPorts[portName(p)] = struct{}{}
}
