package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-connections/nat"
	"golang.org/x/sys/unix"
)

// Port is a container's port that is published on the host.
type Port struct {
	HostIP    netip.Addr // not set: all addresses of the host
	Host      uint16     // 0: any free one
	Container uint16
	Protocol  string // tcp, udp or sctp
}

// String is as -p takes it.
func (p Port) String() string {
	host := ""
	if p.HostIP.IsValid() {
		host = strings.TrimSuffix(netip.AddrPortFrom(p.HostIP, 0).String(), "0")
	}
	if p.Host != 0 || host != "" {
		host += strings.TrimPrefix(strconv.Itoa(int(p.Host)), "0") + ":"
	}
	return fmt.Sprintf("%s%d/%s", host, p.Container, p.Protocol)
}

// ParsePorts reads what -p takes: [[IP:]HOST:]CONTAINER[/PROTOCOL], of which
// each port may be a range.
func ParsePorts(words []string) ([]Port, error) {
	var ports []Port
	for _, word := range words {
		mappings, err := nat.ParsePortSpec(word)
		if err != nil {
			return nil, fmt.Errorf("port %q: %w", word, err)
		}
		for _, m := range mappings {
			p, err := port(m)
			if err != nil {
				return nil, fmt.Errorf("port %q: %w", word, err)
			}
			ports = append(ports, p)
		}
	}
	return ports, nil
}

func port(m nat.PortMapping) (p Port, err error) {
	p = Port{Container: uint16(m.Port.Int()), Protocol: m.Port.Proto()}
	if m.Binding.HostIP != "" {
		if p.HostIP, err = netip.ParseAddr(m.Binding.HostIP); err != nil {
			return p, err
		}
		if p.HostIP.Zone() != "" {
			return p, errors.New("an address of the host has no zone")
		}
	}
	if p.HostIP = p.HostIP.Unmap(); p.HostIP.IsUnspecified() {
		p.HostIP = netip.Addr{}
	}
	if p.Container == 0 {
		return p, errors.New("a container's port is 1 to 65535")
	}
	if first, last, found := strings.Cut(m.Binding.HostPort, "-"); found && first != last {
		return p, nil // one of a range, or any: the kernel chooses
	}
	host, err := strconv.ParseUint("0"+strings.SplitN(m.Binding.HostPort, "-", 2)[0], 10, 16)
	p.Host = uint16(host)
	return p, err
}

// clash says whether two ports of the host are, in part, the same.
func (p Port) clash(q Port) bool {
	return p.Protocol == q.Protocol && p.Host == q.Host &&
		(!p.HostIP.IsValid() || !q.HostIP.IsValid() || p.HostIP == q.HostIP)
}

// choosePorts gives each port without one a free port of the host, and checks
// that the others are free: of other containers, whose ports no socket shows,
// and of the host's programs.
func choosePorts(wanted, taken []Port) ([]Port, error) {
	taken = slices.Clone(taken)
	chosen := make([]Port, 0, len(wanted))
	for _, p := range wanted {
		q, err := choosePort(p, taken)
		if err != nil {
			return nil, err
		}
		chosen, taken = append(chosen, q), append(taken, q)
	}
	return chosen, nil
}

// tries is how often a free port is asked for that no container has.
const tries = 100

func choosePort(p Port, taken []Port) (Port, error) {
	wanted := p
	for range tries {
		host, err := bindable(wanted)
		if err != nil {
			return p, fmt.Errorf("publishing port %s: %w", wanted, err)
		}
		p.Host = host
		if !slices.ContainsFunc(taken, p.clash) {
			return p, nil
		}
		if wanted.Host != 0 {
			return p, fmt.Errorf("publishing port %s: another container has it: %w [davit-shim ps shows which]", wanted, unix.EADDRINUSE)
		}
	}
	return p, fmt.Errorf("publishing port %s: no port of the host is free", wanted)
}

// bindable tells whether a program could have the port now, and which one.
func bindable(p Port) (host uint16, err error) {
	addr := ":" + strconv.Itoa(int(p.Host))
	if p.HostIP.IsValid() {
		addr = netip.AddrPortFrom(p.HostIP, p.Host).String()
	}
	var bound net.Addr
	switch p.Protocol {
	case "tcp":
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return 0, cause(err)
		}
		defer l.Close()
		bound = l.Addr()
	case "udp":
		l, err := net.ListenPacket("udp", addr)
		if err != nil {
			return 0, cause(err)
		}
		defer l.Close()
		bound = l.LocalAddr()
	default:
		if p.Host == 0 {
			return 0, fmt.Errorf("%s needs a port of the host", p.Protocol)
		}
		return p.Host, nil
	}
	at, err := netip.ParseAddrPort(bound.String())
	return at.Port(), err
}

// cause is the errno in an error of package net.
func cause(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// mappings are ports as CNI's portmap takes them.
func mappings(ports []Port) []object {
	var all []object
	for _, p := range ports {
		m := object{"hostPort": p.Host, "containerPort": p.Container, "protocol": p.Protocol}
		if p.HostIP.IsValid() && ownsNetwork() { // else slirp4netns has it
			m["hostIP"] = p.HostIP
		}
		all = append(all, m)
	}
	return all
}
