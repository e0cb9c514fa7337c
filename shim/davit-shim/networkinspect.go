package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/network"
)

// networkDetails are all that is known of a network.
// Compat(moby): the names and their order.
type networkDetails struct {
	Name       string
	ID         string `json:"Id"`
	Created    time.Time
	Scope      string
	Driver     string
	EnableIPv6 bool
	IPAM       ipamDetails
	Internal   bool
	Containers map[string]endpointDetails
	Options    map[string]string
	Labels     map[string]string
}

// ipamDetails are where a network's addresses are from.
type ipamDetails struct {
	Driver string
	Config []subnetDetails
}

type subnetDetails struct{ Subnet, Gateway string }

// endpointDetails are a container's place in a network.
type endpointDetails struct {
	Name        string
	MacAddress  string
	IPv4Address string
	IPv6Address string
}

// networkInspectCommand is davit-shim network inspect.
func (p *program) networkInspectCommand() *cobra.Command {
	var i inspection
	cmd := &cobra.Command{
		Use:   "inspect NETWORK...",
		Short: "show all that is known of networks",
		Long: `Prints a JSON array, with the containers that are in each network. A template of
--format is given one network at a time: {{.IPAM.Config}}.`,
		Args: atLeast(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.networkInspect(i, args) },
	}
	cmd.Flags().StringVarP(&i.format, "format", "f", "", "print by `TEMPLATE`, or json")
	return cmd
}

func (p *program) networkInspect(i inspection, refs []string) error {
	s, err := p.networks()
	if err != nil {
		return err
	}
	attachments, err := s.Attachments()
	if err != nil {
		return err
	}
	containers, err := p.containers()
	if err != nil {
		return err
	}
	var errs []error
	found := []networkDetails{}
	for _, ref := range refs {
		n, err := s.Find(ref)
		if err != nil {
			errs = append(errs, networkError(ref, err))
			continue
		}
		found = append(found, networkDetailsOf(n, attachments, containers))
	}
	return errors.Join(append([]error{printDetails(p.out, i.format, found)}, errs...)...)
}

func networkDetailsOf(n network.Network, attachments []network.Attachment, containers *container.Store) networkDetails {
	d := networkDetails{
		Name: n.Name, ID: n.ID, Created: n.Created, Scope: "local", Driver: "bridge", EnableIPv6: hasIPv6(n), Internal: n.Internal,
		IPAM: ipamDetails{Driver: "host-local"}, Containers: map[string]endpointDetails{}, Options: map[string]string{}, Labels: map[string]string{},
	}
	for key, value := range n.Labels {
		d.Labels[key] = value
	}
	for _, s := range n.Subnets {
		d.IPAM.Config = append(d.IPAM.Config, subnetDetails{s.Prefix.String(), s.Gateway.String()})
	}
	for _, a := range attachments {
		for _, j := range a.Networks {
			if j.Network == n.Name {
				d.Containers[a.Container] = endpointOf(containers, a.Container, j)
			}
		}
	}
	return d
}

func endpointOf(containers *container.Store, id string, j network.Joined) endpointDetails {
	e := endpointDetails{MacAddress: j.MAC}
	if c, err := containers.Find(id); err == nil {
		e.Name = c.Config.Name
	}
	for _, addr := range j.Addresses {
		if addr.Addr().Is4() {
			e.IPv4Address = addr.String()
		} else {
			e.IPv6Address = addr.String()
		}
	}
	return e
}
