package links

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/network"
)

// exposedPorts reads ports, or ranges of ports, with or without a protocol, and
// names each once, in order.
func exposedPorts(words []string) (all []network.Port, err error) {
	for _, word := range words {
		ports, err := exposedRange(word)
		if err != nil {
			return nil, fmt.Errorf("exposed port %q: %w", word, err)
		}
		all = append(all, ports...)
	}
	slices.SortFunc(all, func(a, b network.Port) int {
		return cmp.Or(cmp.Compare(a.Container, b.Container), cmp.Compare(a.Protocol, b.Protocol))
	})
	return slices.Compact(all), nil
}

func exposedRange(word string) (all []network.Port, err error) {
	numbers, protocol, given := strings.Cut(strings.ToLower(word), "/")
	if !given {
		protocol = "tcp"
	}
	if protocol != "tcp" && protocol != "udp" && protocol != "sctp" {
		return nil, fmt.Errorf("no protocol %q", protocol)
	}
	first, last, isRange := strings.Cut(numbers, "-")
	if !isRange {
		last = first
	}
	from, err1 := strconv.ParseUint(first, 10, 16)
	to, err2 := strconv.ParseUint(last, 10, 16)
	if err1 != nil || err2 != nil || from == 0 || to < from {
		return nil, fmt.Errorf("it is PORT[-PORT][/PROTOCOL], of 1 to 65535")
	}
	for port := from; port <= to; port++ {
		all = append(all, network.Port{Container: uint16(port), Protocol: protocol})
	}
	return all, nil
}

// published are the ports that are to be published: with PublishAll also the
// exposed ones that are not among them.
func published(n container.Network) []network.Port {
	ports := slices.Clone(n.Ports)
	if !n.PublishAll {
		return ports
	}
	for _, e := range n.Exposed {
		same := func(p network.Port) bool { return p.Container == e.Container && p.Protocol == e.Protocol }
		if !slices.ContainsFunc(n.Ports, same) {
			ports = append(ports, e)
		}
	}
	return ports
}
