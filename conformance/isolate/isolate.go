// Package isolate runs a package's tests where no network of the machine is: in a
// network and a mount namespace of their own, which end with them.
//
// It is not for a test that wants a namespace for itself alone.
package isolate

import (
	"fmt"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/guard"
)

// Run is for a package's TestMain: it runs the tests, m.Run, with a guard, and gives
// the program's exit status. Without root they have no namespaces of their own.
func Run(tests func() int) int {
	if os.Geteuid() != 0 {
		return guard.Run(tests)
	}
	// No test gets the first thread, whose namespace is the process's.
	runtime.LockOSThread()
	return guard.In(unix.CLONE_NEWNET|unix.CLONE_NEWNS, func() int {
		if err := prepare(); err != nil {
			fmt.Fprintln(os.Stderr, "running the tests in a network namespace:", err)
			return 1
		}
		return tests()
	})
}

// prepare sets up the loopback device.
func prepare() error {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("setting up the loopback device: %w", err)
	}
	return nil
}
