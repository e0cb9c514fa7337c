package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/events"
	"github.com/davit-containers/davit/shim/links"
	"github.com/davit-containers/davit/shim/network"
)

// networkConnectCommand is davit-shim network connect.
func (p *program) networkConnectCommand() *cobra.Command {
	var place links.Place
	cmd := &cobra.Command{
		Use:   "connect NETWORK CONTAINER",
		Short: "bring a container into a network",
		Long: `Brings a container into one more network: at once if it runs, and whenever it is
started. Others in the network find it by its name, and by each --alias.`,
		Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.networkConnect(cmd.Context(), place, args[0], args[1])
		},
	}
	place.Add(cmd.Flags())
	return cmd
}

func (p *program) networkConnect(ctx context.Context, place links.Place, ref, who string) error {
	s, n, err := p.networkOf(ref)
	if err != nil {
		return err
	}
	j, err := place.Join(n.Name)
	if err == nil {
		err = s.CheckJoin(j)
	}
	if err != nil {
		return err
	}
	l, err := p.changeable(who)
	if err != nil {
		return err
	}
	defer l.Unlock()
	if in(l.Config.Network, n.Name) {
		return fmt.Errorf("endpoint with name %s already exists in network %s", l.Config.Name, n.Name) // Compat(moby): its words
	}
	err = p.changeNetworks(ctx, l, network.Keep, func(list []network.Join) []network.Join { return append(list, j) })
	if err != nil {
		return err
	}
	p.note(memberEvent("connect", n, l.Container))
	return nil
}

// networkDisconnectCommand is davit-shim network disconnect.
func (p *program) networkDisconnectCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "disconnect NETWORK CONTAINER",
		Short: "take a container out of a network",
		Long: `Takes a container out of a network: at once if it runs, and for good. Ports that were
published there are published in another one of its networks.`,
		Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.networkDisconnect(cmd.Context(), network.Force(force), args[0], args[1])
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "also where it cannot be undone what the network is made of, or the container is gone")
	return cmd
}

func (p *program) networkDisconnect(ctx context.Context, force network.Force, ref, who string) error {
	s, n, err := p.networkOf(ref)
	if err != nil {
		return err
	}
	l, err := p.changeable(who)
	if errors.Is(err, container.ErrNotExist) && force == network.Forget {
		return leaveGone(ctx, s, n.Name, who)
	}
	if err != nil {
		return err
	}
	defer l.Unlock()
	if !in(l.Config.Network, n.Name) {
		return fmt.Errorf("container %s is not connected to network %s", l.Config.ID, n.Name) // Compat(moby): its words
	}
	err = p.changeNetworks(ctx, l, force, func(list []network.Join) []network.Join {
		return slices.DeleteFunc(list, func(j network.Join) bool { return j.Network == n.Name })
	})
	if err != nil {
		return err
	}
	p.note(memberEvent("disconnect", n, l.Container))
	return nil
}

// leaveGone takes a container out of a network that was removed without being
// detached.
func leaveGone(ctx context.Context, s *network.Store, name, who string) error {
	all, err := s.Attachments()
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.Container == who || slices.Contains(a.Names, who) {
			return s.Disconnect(ctx, a.Container, name, network.Forget)
		}
	}
	return &container.NotFoundError{Ref: who}
}

// networkOf finds a network.
func (p *program) networkOf(ref string) (*network.Store, network.Network, error) {
	s, err := p.networks()
	if err != nil {
		return nil, network.Network{}, err
	}
	n, err := s.Find(ref)
	if errors.Is(err, network.ErrNotExist) && ref == network.DefaultName {
		return s, network.Network{Name: ref}, nil // it is made for the first who wants it
	}
	return s, n, networkError(ref, err)
}

// changeable finds a container whose networks can be changed, and locks it.
func (p *program) changeable(ref string) (*container.Locked, error) {
	c, err := p.container(ref)
	if err != nil {
		return nil, err
	}
	if err := links.Changeable(c.Config.Network); err != nil {
		return nil, err
	}
	return c.Lock()
}

func in(n container.Network, name string) bool {
	return slices.ContainsFunc(n.Networks, func(j network.Join) bool { return j.Network == name })
}

// changeNetworks changes a container's networks on disk, and then where it runs. What
// cannot be done leaves both as they were.
func (p *program) changeNetworks(ctx context.Context, l *container.Locked, force network.Force, change func([]network.Join) []network.Join) error {
	before := l.Config.Network.Networks
	err := l.Change(func(c *container.Config) { c.Network.Networks = change(slices.Clone(before)) })
	if err != nil {
		return err
	}
	err = links.Settle(ctx, l.Container, force)
	if err != nil {
		return errors.Join(err, l.Change(func(c *container.Config) { c.Network.Networks = before }))
	}
	return nil
}

// memberEvent is one of a container in a network.
func memberEvent(action string, n network.Network, c *container.Container) events.Event {
	e := networkEvent(action, n)
	e.Attributes["container"] = c.Config.ID
	return e
}
