package network

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// DNS is what a container's resolv.conf says. An empty list is the host's.
type DNS struct {
	Servers []netip.Addr // --dns
	Search  []string     // --dns-search; "." alone is none
	Options []string     // --dns-option
}

// The host's resolv.conf. systemd-resolved lists itself in the first, on an
// address that a container does not reach, and what it asks in the second.
const (
	hostResolv    = "/etc/resolv.conf"
	systemdResolv = "/run/systemd/resolve/resolv.conf"
)

// publicServers are for a host that names no server that a container could
// reach: the same as Docker's.
var publicServers = []netip.Addr{netip.AddrFrom4([4]byte{8, 8, 8, 8}), netip.AddrFrom4([4]byte{8, 8, 4, 4})}

// check says what is wrong with words of a command line: a line end in one
// would be a line of its own.
func (d DNS) check() error {
	for _, word := range append(append([]string{}, d.Search...), d.Options...) {
		if word == "" || strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r == 127 }) {
			return fmt.Errorf("resolv.conf: %q is no single word", word)
		}
	}
	return nil
}

// parseResolv reads a resolv.conf.
func parseResolv(data []byte) (d DNS) {
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		words := strings.Fields(strings.SplitN(strings.SplitN(lines.Text(), "#", 2)[0], ";", 2)[0])
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			if addr, err := netip.ParseAddr(words[1]); err == nil {
				d.Servers = append(d.Servers, addr)
			}
		case "domain", "search":
			d.Search = words[1:]
		case "options":
			d.Options = append(d.Options, words[1:]...)
		}
	}
	return d
}

// readHostDNS is the host's resolv.conf, without servers on the host's own
// loopback addresses unless the container shares them.
func readHostDNS(shared bool) DNS {
	data, _ := os.ReadFile(hostResolv)
	d := parseResolv(data)
	if shared {
		return d
	}
	if len(d.Servers) > 0 && len(reachable(d.Servers)) == 0 {
		if data, err := os.ReadFile(systemdResolv); err == nil {
			d = parseResolv(data)
		}
	}
	d.Servers = reachable(d.Servers)
	return d
}

func reachable(servers []netip.Addr) (others []netip.Addr) {
	for _, s := range servers {
		if !s.IsLoopback() {
			others = append(others, s)
		}
	}
	return others
}

// over is d where it says something, and the host's otherwise.
func (d DNS) over(host DNS) DNS {
	if len(d.Servers) == 0 {
		d.Servers = host.Servers
	}
	if len(d.Search) == 0 {
		d.Search = host.Search
	}
	if len(d.Options) == 0 {
		d.Options = host.Options
	}
	return d
}

// text is d as a resolv.conf.
func (d DNS) text() string {
	var b strings.Builder
	for _, s := range d.Servers {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if len(d.Search) > 0 && strings.Join(d.Search, "") != "." {
		fmt.Fprintf(&b, "search %s\n", strings.Join(d.Search, " "))
	}
	if len(d.Options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(d.Options, " "))
	}
	return b.String()
}
