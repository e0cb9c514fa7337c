// Package netdev moves network devices of the host into a container's network
// namespace, with their addresses.
//
// It does not make devices and does not configure them, and it does not move
// them back: when the namespace goes, the kernel returns the physical ones.
//
// Spec: config-linux.md#configLinuxNetworkDevices
package netdev

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Move moves each of the devices, which are named by their names in this
// process's network namespace, into ns. In there a device has its new name, the
// lowest free number for a "%d" in it, and is up; its addresses come along that
// are permanent and of global scope. Nothing is moved if a device is missing
// (ENODEV) or a name is taken (EEXIST).
func Move(devices map[string]specs.LinuxNetDevice, ns *os.File) error {
	if len(devices) == 0 {
		return nil
	}
	m, err := newMover(ns)
	if err != nil {
		return err
	}
	defer m.close()
	var moves []*move
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		mv, err := m.prepare(name, devices[name].Name)
		if err != nil {
			return fmt.Errorf("moving network device %s: %w", name, err)
		}
		moves = append(moves, mv)
	}
	for _, mv := range moves {
		if err := m.move(mv); err != nil {
			return fmt.Errorf("moving network device %s: %w", mv.from, err)
		}
	}
	return nil
}

// mover speaks rtnetlink on the host's side and on the container's.
type mover struct {
	ns           *os.File
	host, inside *netlink.Handle
	taken        map[string]bool // names in ns, with those that will be there
}

// move is one device on its way.
type move struct {
	from, to string
	link     netlink.Link
	addrs    []netlink.Addr
}

func newMover(ns *os.File) (*mover, error) {
	host, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("opening a netlink socket: %w", err)
	}
	inside, err := netlink.NewHandleAt(netns.NsHandle(ns.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		host.Close()
		return nil, fmt.Errorf("opening a netlink socket in the container's network namespace: %w", err)
	}
	m := &mover{ns, host, inside, map[string]bool{}}
	links, err := whole(inside.LinkList)
	if err != nil {
		m.close()
		return nil, fmt.Errorf("listing the container's network devices: %w", err)
	}
	for _, l := range links {
		m.taken[l.Attrs().Name] = true
	}
	return m, nil
}

func (m *mover) close() {
	m.host.Close()
	m.inside.Close()
}

// prepare looks whether a device can be moved, and changes nothing.
func (m *mover) prepare(from, to string) (*move, error) {
	if to == "" {
		to = from
	}
	link, err := m.host.LinkByName(from)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil, unix.ENODEV
	}
	if err != nil {
		return nil, err
	}
	// Before the device goes down, which costs it its IPv6 addresses.
	addrs, err := whole(func() ([]netlink.Addr, error) { return m.host.AddrList(link, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("listing its addresses: %w", err)
	}
	to, err = m.claim(to)
	return &move{from, to, link, slices.DeleteFunc(addrs, staysBehind)}, err
}

// claim takes a name in the container's namespace.
func (m *mover) claim(name string) (string, error) {
	before, after, template := strings.Cut(name, "%d")
	for n := 0; template; n++ {
		name = before + strconv.Itoa(n) + after
		template = m.taken[name]
	}
	if m.taken[name] {
		return "", fmt.Errorf("%s in the container's network namespace: %w", name, unix.EEXIST)
	}
	m.taken[name] = true
	return name, nil
}

// staysBehind tells of an address that means something on the host only.
func staysBehind(a netlink.Addr) bool {
	return a.Flags&unix.IFA_F_PERMANENT == 0 || a.Scope != unix.RT_SCOPE_UNIVERSE
}

// whole lists until no change on the way made the list a mixture.
func whole[T any](list func() ([]T, error)) (all []T, err error) {
	for range 8 {
		all, err = list()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return all, err
}
