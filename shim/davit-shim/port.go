package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/links"
	"github.com/davit-containers/davit/shim/network"
)

// portCommand is davit-shim port.
func (p *program) portCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "port CONTAINER [PORT[/PROTOCOL]]",
		Short: "show where a container's ports are published",
		Long:  `Lists the ports of a container that runs, or where one of them is.`,
		Args:  between(1, 2),
		RunE:  func(_ *cobra.Command, args []string) error { return p.port(args[0], append(args[1:], "")[0]) },
	}
}

func (p *program) port(ref, wanted string) error {
	c, err := p.container(ref)
	if err != nil {
		return err
	}
	ports, err := publishedPorts(c)
	if err != nil {
		return err
	}
	if wanted == "" {
		for _, port := range ports {
			fmt.Fprintf(p.out, "%d/%s -> %s\n", port.Container, port.Protocol, hostSide(port))
		}
		return nil
	}
	number, protocol, err := parsePort(wanted)
	if err != nil {
		return err
	}
	found := false
	for _, port := range ports {
		if port.Container == number && port.Protocol == protocol {
			found = true
			fmt.Fprintln(p.out, hostSide(port))
		}
	}
	if !found {
		return fmt.Errorf("No public port '%d/%s' published for %s", number, protocol, ref) // Compat(moby): its words
	}
	return nil
}

// publishedPorts are those of a container that is attached, in order.
func publishedPorts(c *container.Container) ([]network.Port, error) {
	s, err := links.Networks(c.Store().Root())
	if err != nil {
		return nil, err
	}
	a, err := s.Attachment(c.Config.ID)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	slices.SortStableFunc(a.Ports, func(a, b network.Port) int {
		return cmp.Or(cmp.Compare(a.Container, b.Container), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Host, b.Host))
	})
	return a.Ports, err
}

// hostSide is where a port is on the host.
func hostSide(p network.Port) string {
	addr := p.HostIP
	if !addr.IsValid() {
		addr = netip.IPv4Unspecified()
	}
	return netip.AddrPortFrom(addr, p.Host).String()
}

// parsePort reads PORT[/PROTOCOL].
func parsePort(text string) (uint16, string, error) {
	number, protocol, given := strings.Cut(text, "/")
	if !given {
		protocol = "tcp"
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n == 0 {
		return 0, "", fmt.Errorf("port %q: it is PORT[/PROTOCOL]", text)
	}
	return uint16(n), strings.ToLower(protocol), nil
}
