package network

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// The pool from which subnets of /24 are chosen: 10.90.0.0 to 10.127.255.0.
const (
	poolFirst = 90
	poolLast  = 127
)

// chooseSubnets checks the subnets that a user wants, or finds one.
func chooseSubnets(wanted []Subnet, taken []netip.Prefix) ([]Subnet, error) {
	if len(wanted) == 0 {
		p, err := freeSubnet(taken)
		return []Subnet{{p, firstHost(p)}}, err
	}
	if len(wanted) > 2 || len(wanted) == 2 && wanted[0].Prefix.Addr().Is4() == wanted[1].Prefix.Addr().Is4() {
		return nil, errors.New("a network has one subnet, or one of IPv4 and one of IPv6")
	}
	chosen := make([]Subnet, 0, len(wanted))
	for _, w := range wanted {
		c, err := checkSubnet(w, taken)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, c)
	}
	return chosen, nil
}

func checkSubnet(w Subnet, taken []netip.Prefix) (Subnet, error) {
	p := w.Prefix
	if !p.IsValid() || p.Masked() != p || p.Addr().Is4In6() {
		return Subnet{}, fmt.Errorf("%s is not the address of a subnet", p)
	}
	if p.Addr().BitLen()-p.Bits() < 2 || p.Bits() < 8 {
		return Subnet{}, fmt.Errorf("subnet %s: the prefix has 8 to %d bits", p, p.Addr().BitLen()-2)
	}
	if p.Addr().IsMulticast() || p.Addr().IsLoopback() || p.Addr().IsLinkLocalUnicast() {
		return Subnet{}, fmt.Errorf("subnet %s: the addresses are not for networks", p)
	}
	for _, t := range taken {
		if t.Overlaps(p) {
			return Subnet{}, fmt.Errorf("subnet %s overlaps %s, which a network or a route of the host has", p, t)
		}
	}
	gateway := w.Gateway
	if !gateway.IsValid() {
		gateway = firstHost(p)
	}
	if !p.Contains(gateway) || gateway == p.Addr() {
		return Subnet{}, fmt.Errorf("gateway %s is no address of subnet %s", gateway, p)
	}
	return Subnet{p, gateway}, nil
}

// firstHost is the first address behind the subnet's own.
func firstHost(p netip.Prefix) netip.Addr { return p.Addr().Next() }

// freeSubnet is the first of the pool that overlaps nothing.
func freeSubnet(taken []netip.Prefix) (netip.Prefix, error) {
	for second := poolFirst; second <= poolLast; second++ {
		for third := range 256 {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(second), byte(third), 0}), 24)
			if !overlapsAny(p, taken) {
				return p, nil
			}
		}
	}
	return netip.Prefix{}, fmt.Errorf("no subnet is free from 10.%d.0.0/24 to 10.%d.255.0/24 [give one with --subnet]", poolFirst, poolLast)
}

func overlapsAny(p netip.Prefix, taken []netip.Prefix) bool {
	for _, t := range taken {
		if t.Overlaps(p) {
			return true
		}
	}
	return false
}

// taken are the subnets of all networks and the host's routes, but not its
// default ones.
func (s *Store) taken() ([]netip.Prefix, error) {
	networks, err := s.all()
	if err != nil {
		return nil, err
	}
	var taken []netip.Prefix
	if !ownsNetwork() {
		taken = append(taken, netip.PrefixFrom(slirpGuest, 24).Masked())
	}
	for _, n := range networks {
		for _, subnet := range n.Subnets {
			taken = append(taken, subnet.Prefix)
		}
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("listing the host's routes: %w", err)
	}
	for _, r := range routes {
		if r.Dst == nil {
			continue
		}
		ones, _ := r.Dst.Mask.Size()
		if addr, ok := netip.AddrFromSlice(r.Dst.IP); ok && ones > 0 {
			taken = append(taken, netip.PrefixFrom(addr.Unmap(), ones).Masked())
		}
	}
	return taken, nil
}
