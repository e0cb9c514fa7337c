package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/events"
	"github.com/davit-containers/davit/shim/network"
)

// networkCommand is davit-shim network.
func (p *program) networkCommand() *cobra.Command {
	return p.group("network", "manage networks",
		`Networks join containers: those of one network reach each other, and find each
other by name. The network "bridge", of containers that name none, is made when the
first of them comes. Besides networks, --network takes none, host, container:NAME,
and pasta or slirp4netns, which need no network to be made.`,
		(*program).networkConnectCommand,
		(*program).networkCreateCommand,
		(*program).networkDisconnectCommand,
		(*program).networkInspectCommand,
		(*program).networkListCommand,
		(*program).networkPruneCommand,
		(*program).networkRemoveCommand,
	)
}

// networks opens the store of networks.
func (p *program) networks() (*network.Store, error) {
	root, err := p.globals.directory()
	if err != nil {
		return nil, err
	}
	return network.Open(filepath.Join(root, "networks"), network.Options{})
}

// networkError says in Docker's words what a script looks for.
// Compat(moby): "network x not found", "network with name x already exists".
func networkError(ref string, err error) error {
	switch {
	case errors.Is(err, network.ErrNotExist):
		return fmt.Errorf("network %s not found", ref)
	case errors.Is(err, network.ErrExist):
		return fmt.Errorf("network with name %s already exists", ref)
	}
	return err
}

// note appends an event. What was done is done, whether it can be noted or not.
func (p *program) note(e events.Event) {
	root, err := p.globals.directory()
	if err == nil {
		err = events.Append(root, e)
	}
	if err != nil {
		fmt.Fprintf(p.err, "%s: warning: %s\n", name, oneLine(err.Error()))
	}
}

// networkEvent is one of a network.
func networkEvent(action string, n network.Network) events.Event {
	return events.Event{Type: events.Network, Action: action, ID: n.ID, Name: n.Name, Attributes: map[string]string{"type": "bridge"}}
}

// networkNames are those of all networks; none where they cannot be listed.
func (p *program) networkNames(*cobra.Command) (names []cobra.Completion) {
	s, err := p.networks()
	if err != nil {
		return nil
	}
	all, _ := s.List()
	for _, n := range all {
		names = append(names, n.Name)
	}
	return names
}
