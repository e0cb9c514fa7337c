package netdev

import (
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// RaiseLoopback sets the loopback device of a network namespace up.
func RaiseLoopback(ns *os.File) error {
	inside, err := netlink.NewHandleAt(netns.NsHandle(ns.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("opening a netlink socket in the container's network namespace: %w", err)
	}
	defer inside.Close()
	lo, err := inside.LinkByName("lo")
	if err == nil {
		err = inside.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("setting up the loopback device: %w", err)
	}
	return nil
}
