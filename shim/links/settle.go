package links

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/network"
)

// request is what a container asks of its networks.
func request(c *container.Container) network.Request {
	n := c.Config.Network
	return network.Request{Container: c.Config.ID, Names: namesOf(&c.Config), Networks: n.Networks, Ports: published(n)}
}

// Changeable says why the networks of a container cannot be changed.
// Compat(moby): its words.
func Changeable(n container.Network) error {
	switch n.Mode.Kind {
	case network.Host:
		return errors.New("container cannot be disconnected from host network or connected to host network")
	case network.Container:
		return errors.New("container sharing network namespace with another container or host cannot be connected to any other network")
	case network.None:
		return errors.New("container cannot be connected to multiple networks with one of the networks in private (none) mode")
	case network.User:
		return errors.New("the container has a network of its own from pasta or slirp4netns [a container that is to be in networks is made with --network NAME]")
	}
	return nil
}

// Settle has a container that runs be in the networks that its configuration has, and
// in no others. One that does not run is in none.
func Settle(ctx context.Context, c *container.Container, force network.Force) error {
	s, err := Networks(c.Store().Root())
	if err != nil {
		return err
	}
	a, err := s.Attachment(c.Config.ID)
	if errors.Is(err, os.ErrNotExist) || err == nil && a.User != nil {
		return nil
	}
	if err != nil {
		return err
	}
	r := request(c)
	if err := s.Connect(ctx, r); err != nil && !errors.Is(err, network.ErrNotAttached) {
		return err
	}
	var errs []error
	for _, j := range a.Networks {
		wanted := func(w network.Join) bool { return w.Network == j.Network }
		if !slices.ContainsFunc(r.Networks, wanted) {
			errs = append(errs, s.Disconnect(ctx, c.Config.ID, j.Network, force))
		}
	}
	return errors.Join(errs...)
}

// settled is Settle by what is on disk, for the supervisor.
func settled(ctx context.Context, c *container.Container) error {
	now, err := container.OpenDir(c.Dir())
	if errors.Is(err, container.ErrNotExist) {
		return nil // it is being removed
	}
	if err != nil || slices.EqualFunc(now.Config.Network.Networks, c.Config.Network.Networks, same) {
		return err
	}
	if err := Settle(ctx, now, network.Keep); err != nil {
		return fmt.Errorf("following a change of its networks: %w", err)
	}
	return nil
}

func same(a, b network.Join) bool { return a.Network == b.Network }
