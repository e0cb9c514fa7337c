package links

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/spf13/pflag"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/network"
)

// Flags are the values of the flags of a container's network.
type Flags struct {
	networks, aliases      []string
	ip, ip6, mac           string
	published, exposed     []string
	all                    bool
	dns, search, dnsOption []string
	hosts                  []string
}

// Add adds the flags to a set.
func (f *Flags) Add(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.networks, "network", nil, "be in `NETWORK`, or none, host, container:NAME, pasta, slirp4netns (default is bridge, for root)")
	fs.StringArrayVar(&f.networks, "net", nil, "the same as --network")
	_ = fs.MarkHidden("net")
	fs.StringArrayVar(&f.aliases, "network-alias", nil, "be found as `NAME` too in the network")
	fs.StringVar(&f.ip, "ip", "", "have the IPv4 `ADDRESS` in the network")
	fs.StringVar(&f.ip6, "ip6", "", "have the IPv6 `ADDRESS` in the network")
	fs.StringVar(&f.mac, "mac-address", "", "have the hardware `ADDRESS` in the network")
	fs.StringArrayVarP(&f.published, "publish", "p", nil, "publish a port on the host, `[[IP:]HOST:]CONTAINER[/PROTOCOL]`")
	fs.BoolVarP(&f.all, "publish-all", "P", false, "publish all exposed ports, on any free ones")
	fs.StringArrayVar(&f.exposed, "expose", nil, "expose `PORT[/PROTOCOL]`, for --publish-all")
	fs.StringArrayVar(&f.dns, "dns", nil, "ask the `SERVER` for names")
	fs.StringArrayVar(&f.search, "dns-search", nil, "look for names in `DOMAIN` too; . for none")
	fs.StringArrayVar(&f.dnsOption, "dns-option", nil, "set an `OPTION` of the resolver")
	fs.StringArrayVar(&f.hosts, "add-host", nil, "write `NAME:ADDRESS` into the hosts file; the address may be host-gateway")
}

// Given is what decides with the flags.
type Given struct {
	Exposed  map[string]struct{} // the image's ports, such as "80/tcp"
	Hostname string              // --hostname
	User     bool                // not root's: its default is no bridge
}

// Network is what the flags say.
func (f *Flags) Network(g Given) (container.Network, error) {
	n := container.Network{PublishAll: f.all}
	for _, step := range [...]func(*container.Network, Given) error{f.modes, f.place, f.ports, f.names} {
		if err := step(&n, g); err != nil {
			return container.Network{}, err
		}
	}
	return n, conflicts(n, f, g)
}

// modes are what --network says, which may be given several times with networks.
func (f *Flags) modes(n *container.Network, g Given) error {
	words := f.networks
	if len(words) == 0 {
		words = []string{""}
	}
	for _, word := range words {
		j, word, err := networkWord(word)
		if err != nil {
			return err
		}
		mode, err := parseMode(word, g.User)
		if err != nil {
			return err
		}
		if len(words) > 1 && mode.Kind != network.Named {
			return fmt.Errorf("--network %s: it cannot be one of several", word)
		}
		if len(n.Networks) == 0 {
			n.Mode = mode
		}
		if mode.Kind == network.Named {
			j.Network = mode.Name
			n.Networks = append(n.Networks, j)
		}
	}
	return nil
}

// parseMode is network.ParseMode, with a network of its own as a user's default.
func parseMode(word string, user bool) (network.Mode, error) {
	mode, err := network.ParseMode(word)
	if err == nil && user && mode.Kind == network.Named && mode.Name == network.DefaultName {
		mode = network.Mode{Kind: network.User}
	}
	return mode, err
}

// networkWord reads a --network with fields: name=NETWORK,alias=NAME,ip=ADDRESS.
// Compat(moby): the names of the fields.
func networkWord(word string) (j network.Join, name string, err error) {
	if !strings.Contains(word, "=") {
		return j, word, nil
	}
	fields, err := csv.NewReader(strings.NewReader(word)).Read()
	if err != nil {
		return j, "", fmt.Errorf("--network %q: %w", word, err)
	}
	for _, field := range fields {
		key, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch strings.ToLower(key) {
		case "name":
			name = value
		case "alias":
			j.Aliases = append(j.Aliases, value)
		case "ip", "ip6":
			err = setAddress(&j, key, value)
		case "mac-address":
			j.MAC, err = net.ParseMAC(value)
		default:
			err = fmt.Errorf("no field %q", key)
		}
		if err != nil {
			return j, "", fmt.Errorf("--network %q: %w", word, err)
		}
	}
	if name == "" {
		return j, "", fmt.Errorf("--network %q: it has no name", word)
	}
	return j, name, nil
}

// setAddress adds an address of a kind, "ip" or "ip6".
func setAddress(j *network.Join, kind, text string) error {
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" || addr.Is4() != (kind == "ip") {
		return fmt.Errorf("--%s %q: it is no such address", kind, text)
	}
	j.Addresses = append(j.Addresses, addr)
	return nil
}

// Place are the flags on a container's place in one network.
type Place struct {
	aliases []string
	ip, ip6 string
}

// Add adds the flags to a set.
func (p *Place) Add(fs *pflag.FlagSet) {
	fs.StringArrayVar(&p.aliases, "alias", nil, "be found as `NAME` too")
	fs.StringVar(&p.ip, "ip", "", "have the IPv4 `ADDRESS`")
	fs.StringVar(&p.ip6, "ip6", "", "have the IPv6 `ADDRESS`")
}

// Join is what the flags say of a place in a network.
func (p *Place) Join(name string) (network.Join, error) {
	j := network.Join{Network: name, Aliases: p.aliases}
	for _, a := range [...]struct{ kind, text string }{{"ip", p.ip}, {"ip6", p.ip6}} {
		if a.text == "" {
			continue
		}
		if err := setAddress(&j, a.kind, a.text); err != nil {
			return j, err
		}
	}
	return j, nil
}

// place is that in the first network.
func (f *Flags) place(n *container.Network, _ Given) (err error) {
	if f.ip == "" && f.ip6 == "" && f.mac == "" && len(f.aliases) == 0 {
		return nil
	}
	if n.Mode.Kind != network.Named {
		return errors.New("--ip, --mac-address and --network-alias need a network of their own")
	}
	j := &n.Networks[0]
	for kind, text := range map[string]string{"ip": f.ip, "ip6": f.ip6} {
		if text != "" {
			if err := setAddress(j, kind, text); err != nil {
				return err
			}
		}
	}
	j.Aliases = append(j.Aliases, f.aliases...)
	if f.mac != "" {
		if j.MAC, err = net.ParseMAC(f.mac); err != nil {
			return fmt.Errorf("--mac-address %q: it is no hardware address", f.mac)
		}
	}
	return nil
}

// ports are those to publish, and those that are exposed.
func (f *Flags) ports(n *container.Network, g Given) (err error) {
	if n.Ports, err = network.ParsePorts(f.published); err != nil {
		return fmt.Errorf("--publish: %w", err)
	}
	exposed := f.exposed
	for port := range g.Exposed {
		exposed = append(exposed, port)
	}
	n.Exposed, err = exposedPorts(exposed)
	return err
}

// names are what resolves names in the container.
func (f *Flags) names(n *container.Network, _ Given) error {
	for _, text := range f.dns {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return fmt.Errorf("--dns %q: it is no address", text)
		}
		n.DNS.Servers = append(n.DNS.Servers, addr)
	}
	n.DNS.Search, n.DNS.Options = f.search, f.dnsOption
	for _, text := range f.hosts {
		e, err := network.ParseHost(text)
		if err != nil {
			return err
		}
		n.Hosts = append(n.Hosts, e)
	}
	return nil
}

// conflicts are flags that another container's network leaves nothing to say for,
// and ports where nobody would publish them.
// Compat(moby): what conflicts.
func conflicts(n container.Network, f *Flags, g Given) error {
	published := len(n.Ports) > 0 || n.PublishAll
	switch {
	case n.Mode.Kind == network.Container && g.Hostname != "":
		return errors.New("conflicting options: --hostname and the network of another container")
	case n.Mode.Kind == network.Container && len(f.dns)+len(f.search)+len(f.dnsOption)+len(f.hosts) > 0:
		return errors.New("conflicting options: --dns and --add-host, and the network of another container")
	case n.Mode.Kind == network.Container && published:
		return errors.New("conflicting options: port publishing and the network of another container")
	case (n.Mode.Kind == network.Host || n.Mode.Kind == network.None) && published:
		return errors.New("conflicting options: port publishing, and --network host or none")
	}
	return nil
}
