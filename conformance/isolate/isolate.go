// Package isolate runs a package's tests where no network of the machine is: in a
// network and a mount namespace of their own, which end with them.
//
// It is not for a test that wants a namespace for itself alone.
package isolate

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// inside is set in the process that runs the tests.
const inside = "DAVIT_TEST_ISOLATED"

// Run is for a package's TestMain: it runs the tests, m.Run, and gives the program's
// exit status. Without root they run where they are.
func Run(tests func() int) int {
	// No test gets the first thread, whose namespace is the process's; and the child
	// ends with the thread that starts it.
	runtime.LockOSThread()
	if os.Geteuid() != 0 {
		return tests()
	}
	status, err := 0, error(nil)
	if os.Getenv(inside) != "" {
		if err = prepare(); err == nil {
			status = tests()
		}
	} else {
		status, err = again()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "running the tests in a network namespace:", err)
		return 1
	}
	return status
}

// again runs this program in new namespaces.
func again() (status int, err error) {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(1, exit.ExitCode()), nil
	}
	return 0, err
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
