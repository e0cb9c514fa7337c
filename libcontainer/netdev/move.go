package netdev

import (
	"fmt"
	"net"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// move moves one device. If the kernel refuses, the host's device is as it was.
func (m *mover) move(mv *move) error {
	if err := m.host.LinkSetDown(mv.link); err != nil {
		return fmt.Errorf("setting it down: %w", err)
	}
	if err := m.changeNamespace(mv); err != nil {
		m.restore(mv)
		return err
	}
	link, err := m.inside.LinkByName(mv.to)
	if err != nil {
		return fmt.Errorf("looking for it in the container's network namespace: %w", err)
	}
	for _, a := range mv.addrs {
		if err := m.inside.AddrAdd(link, carried(a)); err != nil {
			return fmt.Errorf("giving it back its address %s: %w", a.IPNet, err)
		}
	}
	if err := m.inside.LinkSetUp(link); err != nil {
		return fmt.Errorf("setting it up: %w", err)
	}
	return nil
}

// changeNamespace moves the device and renames it in one step: in between, its
// old name might be taken where it arrives.
func (m *mover) changeNamespace(mv *move) error {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(mv.link.Attrs().Index)
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_ACK)
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(mv.to)))
	req.AddData(nl.NewRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(m.ns.Fd()))))
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	runtime.KeepAlive(m.ns)
	return err
}

// restore sets the device up again where it was, as well as that can be done.
func (m *mover) restore(mv *move) {
	if mv.link.Attrs().Flags&net.FlagUp == 0 {
		return
	}
	_ = m.host.LinkSetUp(mv.link)
	for _, a := range mv.addrs {
		_ = m.host.AddrAdd(mv.link, carried(a)) // most are still there
	}
}

// carried is an address without what the kernel finds out by itself, and
// without the label, which begins with the device's old name.
func carried(a netlink.Addr) *netlink.Addr {
	return &netlink.Addr{
		IPNet:     a.IPNet,
		Peer:      a.Peer,
		Broadcast: a.Broadcast,
		Flags:     a.Flags & (unix.IFA_F_NODAD | unix.IFA_F_NOPREFIXROUTE),
	}
}
