package netdev

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// inNewNamespace runs this test again in a process whose network namespace is
// its own, and tells whether it is already there.
func inNewNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv("NETDEV_TEST") == t.Name() {
		return true
	}
	needs.Root(t, "it makes network namespaces and devices")
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "NETDEV_TEST="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Skip(string(out))
	}
	return false
}

// container is a network namespace as a container would have it.
type container struct {
	ns *os.File
	*netlink.Handle
}

func newContainer(t *testing.T) container {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", cmd.Process.Pid))
	cmd.Process.Kill()
	cmd.Wait()
	if err != nil {
		t.Fatal(err)
	}
	h, err := netlink.NewHandleAt(netns.NsHandle(ns.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close(); ns.Close() })
	return container{ns, h}
}

// addVeth makes a pair name and name+"-peer", both up, with addresses.
func addVeth(t *testing.T, name string, addrs ...string) {
	t.Helper()
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name, MTU: 1400}, PeerName: name + "-peer"}
	needs.Kernel(t, needs.Veth, netlink.LinkAdd(veth))
	for _, n := range []string{name + "-peer", name} {
		link, err := netlink.LinkByName(n)
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkSetUp(link); err != nil {
			t.Fatal(err)
		}
		if n == name {
			addAddrs(t, link, addrs...)
		}
	}
}

func addAddrs(t *testing.T, link netlink.Link, addrs ...string) {
	t.Helper()
	for _, text := range addrs {
		a, err := netlink.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		if a.IP.To4() == nil {
			a.Flags = unix.IFA_F_NODAD
		}
		if a.IP.IsLinkLocalUnicast() {
			a.Scope = unix.RT_SCOPE_LINK
		}
		if err := netlink.AddrAdd(link, a); err != nil {
			t.Fatal(err)
		}
	}
}

// addresses lists the addresses of global scope of a device.
func addresses(t *testing.T, h *netlink.Handle, name string) []string {
	t.Helper()
	link, err := h.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	list, err := h.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, a := range list {
		if a.Scope == unix.RT_SCOPE_UNIVERSE {
			texts = append(texts, a.IPNet.String())
		}
	}
	slices.Sort(texts)
	return texts
}

func devices(pairs ...string) map[string]specs.LinuxNetDevice {
	m := map[string]specs.LinuxNetDevice{}
	for p := range slices.Chunk(pairs, 2) {
		m[p[0]] = specs.LinuxNetDevice{Name: p[1]}
	}
	return m
}

func TestMove(t *testing.T) {
	if !inNewNamespace(t) {
		return
	}
	c := newContainer(t)
	addVeth(t, "dev0", "10.1.2.3/24", "10.1.2.4/24", "fd00::5/64", "169.254.1.1/16")
	addVeth(t, "dev1")
	if err := Move(devices("dev0", "eth0", "dev1", ""), c.ns); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"eth0", "dev1"} {
		link, err := c.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if link.Attrs().MTU != 1400 || link.Attrs().Flags&net.FlagUp == 0 {
			t.Errorf("%s: got %+v, want MTU 1400, up", name, link.Attrs())
		}
	}
	want := []string{"10.1.2.3/24", "10.1.2.4/24", "fd00::5/64"}
	if got := addresses(t, c.Handle, "eth0"); !reflect.DeepEqual(got, want) {
		t.Errorf("addresses: got %v, want %v", got, want)
	}
	if got := addresses(t, c.Handle, "dev1"); len(got) != 0 {
		t.Errorf("addresses of dev1: got %v", got)
	}
	if _, err := netlink.LinkByName("dev0"); !errors.As(err, new(netlink.LinkNotFoundError)) {
		t.Errorf("dev0 on the host: %v", err)
	}
}

func TestMoveByTemplate(t *testing.T) {
	if !inNewNamespace(t) {
		return
	}
	c := newContainer(t)
	for _, name := range []string{"dev0", "dev1", "dev2"} {
		addVeth(t, name)
	}
	if err := Move(devices("dev1", "eth1"), c.ns); err != nil {
		t.Fatal(err)
	}
	if err := Move(devices("dev0", "eth%d", "dev2", "eth%d"), c.ns); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"eth0", "eth1", "eth2"} {
		if _, err := c.LinkByName(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nothing is moved, and nothing goes down, where something is wrong.
func TestMoveErrors(t *testing.T) {
	if !inNewNamespace(t) {
		return
	}
	c := newContainer(t)
	addVeth(t, "dev0", "10.1.2.3/24")
	addVeth(t, "dev1")
	tests := []struct {
		name    string
		devices map[string]specs.LinuxNetDevice
		want    string
		errno   error
	}{
		{"missing", devices("dev0", "", "none", ""), "moving network device none: no such device", unix.ENODEV},
		{"name taken", devices("dev0", "", "dev1", "lo"), "moving network device dev1: lo in the container's network namespace: file exists", unix.EEXIST},
		{"name given twice", devices("dev0", "x", "dev1", "x"), "moving network device dev1: x in the container's network namespace: file exists", unix.EEXIST},
		{"name too long", devices("dev0", "sixteen-letters-"), "moving network device dev0: numerical result out of range", unix.ERANGE},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Move(tt.devices, c.ns)
			if err == nil || err.Error() != tt.want || !errors.Is(err, tt.errno) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			checkUntouched(t, "dev0", "10.1.2.3/24")
		})
	}
}

func checkUntouched(t *testing.T, name string, addrs ...string) {
	t.Helper()
	link, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	if link.Attrs().Flags&net.FlagUp == 0 {
		t.Errorf("%s is down", name)
	}
	h := &netlink.Handle{}
	if got := addresses(t, h, name); !reflect.DeepEqual(got, addrs) {
		t.Errorf("addresses of %s: got %v, want %v", name, got, addrs)
	}
}

// A bridge belongs to its namespace: the kernel refuses, and it is up again.
func TestMoveRefused(t *testing.T) {
	if !inNewNamespace(t) {
		return
	}
	c := newContainer(t)
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}
	needs.Kernel(t, needs.Bridge, netlink.LinkAdd(bridge))
	if err := netlink.LinkSetUp(bridge); err != nil {
		t.Fatal(err)
	}
	addAddrs(t, bridge, "10.1.2.3/24", "fd00::5/64")
	err := Move(devices("br0", ""), c.ns)
	if want := "moving network device br0: invalid argument"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	checkUntouched(t, "br0", "10.1.2.3/24", "fd00::5/64")
}

func TestMoveNothing(t *testing.T) {
	if err := Move(nil, nil); err != nil {
		t.Error(err)
	}
}
