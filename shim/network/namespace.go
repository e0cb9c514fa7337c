package network

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// namespace is a network namespace, open, so that it is the same one whatever
// becomes of the process or the file by which it was named.
type namespace struct{ f *os.File }

// identity is what tells a namespace from all others that are there.
type identity struct {
	Dev, Ino uint64
}

// openNamespace opens the namespace that a path names, such as /proc/PID/ns/net.
func openNamespace(path string) (*namespace, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("opening network namespace: %w", err)
	}
	n := &namespace{f}
	if typ, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE); err != nil || typ != unix.CLONE_NEWNET {
		n.close()
		return nil, fmt.Errorf("opening network namespace: %s is none", path)
	}
	return n, nil
}

func (n *namespace) close() { n.f.Close() }

// path is by which plugins find it, while this process has it open.
func (n *namespace) path() string {
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.f.Fd())
}

func (n *namespace) identity() (identity, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(n.f.Fd()), &st); err != nil {
		return identity{}, os.NewSyscallError("fstat", err)
	}
	return identity{st.Dev, st.Ino}, nil
}

// own says whether it is this process's own, the host's.
func (n *namespace) own() (bool, error) {
	own, err := openNamespace("/proc/thread-self/ns/net")
	if err != nil {
		return false, err
	}
	defer own.close()
	a, err1 := n.identity()
	b, err2 := own.identity()
	return a == b, errors.Join(err1, err2)
}

// loopback switches lo on.
func (n *namespace) loopback() error {
	h, err := netlink.NewHandleAt(netns.NsHandle(n.f.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("opening netlink in the container's network: %w", err)
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err == nil {
		err = h.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("setting up lo: %w", err)
	}
	return nil
}

// defaultRoute gives the namespace a way out by a gateway, in place of those by others
// of the gateways.
func (n *namespace) defaultRoute(device string, gateway netip.Addr, gateways []netip.Addr) error {
	h, err := netlink.NewHandleAt(netns.NsHandle(n.f.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("opening netlink in the container's network: %w", err)
	}
	defer h.Close()
	link, err := h.LinkByName(device)
	if err == nil {
		err = routeBy(h, link.Attrs().Index, gateway, gateways)
	}
	if err != nil {
		return fmt.Errorf("adding a route by %s: %w", gateway, err)
	}
	return nil
}

func routeBy(h *netlink.Handle, link int, gateway netip.Addr, gateways []netip.Addr) error {
	family := netlink.FAMILY_V6
	if gateway.Is4() {
		family = netlink.FAMILY_V4
	}
	routes, err := h.RouteListFiltered(family, &netlink.Route{}, netlink.RT_FILTER_DST)
	if err != nil {
		return err
	}
	found := false
	for _, r := range routes {
		by, _ := netip.AddrFromSlice(r.Gw)
		switch by = by.Unmap(); {
		case by == gateway && r.LinkIndex == link:
			found = true
		case slices.Contains(gateways, by):
			if err := h.RouteDel(&r); err != nil {
				return err
			}
		}
	}
	if found {
		return nil
	}
	return h.RouteAdd(&netlink.Route{LinkIndex: link, Gw: gateway.AsSlice()})
}

// mendBridge gives a network's device an address of its own, where it has lost the one
// that it had of its last port: the plugin would set none, which is refused. So it is
// where a plugin was killed that made the device.
func mendBridge(name string) error {
	link, err := netlink.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil // the plugin makes it
	}
	if err == nil && slices.Max(append([]byte{0}, link.Attrs().HardwareAddr...)) == 0 {
		addr := make(net.HardwareAddr, 6)
		rand.Read(addr)
		addr[0] = addr[0]&^1 | 2 // of one device, chosen here
		err = netlink.LinkSetHardwareAddr(link, addr)
	}
	if err != nil {
		return fmt.Errorf("mending bridge %s: %w", name, err)
	}
	return nil
}

// removeBridge removes a network's device, if it is there.
func removeBridge(name string) error {
	link, err := netlink.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if err != nil {
		return fmt.Errorf("removing bridge %s: %w", name, err)
	}
	return nil
}
