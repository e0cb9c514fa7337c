package network

import (
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/isolate"
	"github.com/davit-containers/davit/conformance/needs"
)

// TestMain runs the tests where no network of the machine is.
func TestMain(m *testing.M) {
	if helper := os.Getenv("DAVIT_TEST_NETWORK_HELPER"); helper != "" {
		os.Exit(helpers[helper]())
	}
	os.Exit(isolate.Run(m.Run))
}

// The addresses of the machine and of another one beside it.
const (
	hostAddr    = "198.51.100.1"
	outsideAddr = "198.51.100.2"
	gatewayAddr = "198.51.100.254"
)

// machine prepares the namespace of the tests as a machine with a network, and
// is the namespace of another machine in it.
func machine(t *testing.T) (outside string) {
	t.Helper()
	needs.Root(t, "it makes bridges and network namespaces")
	for _, program := range []string{"iptables", "ip"} {
		needs.Program(t, program)
	}
	needs.File(t, "/usr/lib/cni/bridge", "containernetworking-plugins")
	needs.Kernel(t, needs.Bridge, try(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "try"}}))
	needs.Kernel(t, needs.Veth, try(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "try"}, PeerName: "try2"}))
	outside = newNamespace(t)
	run(t, "mount", "--make-rprivate", "/")
	run(t, "mount", "-t", "tmpfs", "tmpfs", "/run")
	t.Cleanup(func() { run(t, "umount", "/run") })
	run(t, "ip", "link", "set", "lo", "up")
	run(t, "ip", "link", "add", "lan", "type", "veth", "peer", "name", "lan0")
	t.Cleanup(func() { run(t, "ip", "link", "del", "lan") })
	run(t, "ip", "addr", "add", hostAddr+"/24", "dev", "lan")
	run(t, "ip", "link", "set", "lan", "up")
	run(t, "ip", "route", "add", "default", "via", gatewayAddr)
	f, err := os.Open(outside)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	link, err := netlink.LinkByName("lan0")
	if err == nil {
		err = netlink.LinkSetNsFd(link, int(f.Fd()))
	}
	if err != nil {
		t.Fatal(err)
	}
	within(t, outside, func() error {
		run(t, "ip", "addr", "add", outsideAddr+"/24", "dev", "lan0")
		run(t, "ip", "addr", "add", gatewayAddr+"/24", "dev", "lan0")
		run(t, "ip", "link", "set", "lan0", "up")
		return nil
	})
	return outside
}

// try makes a device and removes it.
func try(link netlink.Link) error {
	if err := netlink.LinkAdd(link); err != nil {
		return err
	}
	return netlink.LinkDel(link)
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// newNamespace is a network namespace, as the path where it is mounted.
func newNamespace(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "net")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(path, unix.MNT_DETACH) })
	return path
}

// within calls f on a thread in a network namespace.
func within(t testing.TB, ns string, f func() error) {
	t.Helper()
	if err := withinErr(ns, f); err != nil {
		t.Fatal(err)
	}
}

func withinErr(ns string, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := enter(ns)
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

func enter(ns string) error {
	fd, err := unix.Open(ns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Setns(fd, unix.CLONE_NEWNET)
}

// serve answers each connection in a namespace with the address that it came
// from.
func serve(t testing.TB, ns, addr string) {
	t.Helper()
	within(t, ns, func() error {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				io.WriteString(c, c.RemoteAddr().String())
				c.Close()
			}
		}()
		return nil
	})
}

// call connects from a namespace ("" is the machine's), and returns the address
// that the other end sees.
func call(ns, addr string) (from netip.Addr, err error) {
	dial := func() error {
		c, err := net.DialTimeout("tcp", addr, 2*time.Second)
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(5 * time.Second))
		text, err := io.ReadAll(c)
		if err != nil {
			return err
		}
		at, err := netip.ParseAddrPort(string(text))
		from = at.Addr()
		return err
	}
	if ns == "" {
		return from, dial()
	}
	err = withinErr(ns, dial)
	return from, err
}

func newStore(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// container is one for tests: an id, a namespace and the files.
type container struct {
	id, ns string
	files  Files
}

func newContainer(t testing.TB, id string) container {
	t.Helper()
	c := container{id, newNamespace(t), Files{Dir: t.TempDir(), Hostname: id}}
	if err := c.files.Write(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c container) request(networks ...string) Request {
	r := Request{Container: c.id, Namespace: c.ns, Names: []string{c.id}, Files: &c.files}
	for _, n := range networks {
		r.Networks = append(r.Networks, Join{Network: n})
	}
	return r
}

func attach(t testing.TB, s *Store, r Request) Attachment {
	t.Helper()
	a, err := s.Attach(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func detach(t testing.TB, s *Store, id string) {
	t.Helper()
	if err := s.Detach(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

// hosts is the section of a container's hosts file.
func (c container) hosts(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile(c.files.HostsPath())
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), hostsBegin)
	lines, _, found := strings.Cut(rest, hostsEnd)
	if !found {
		t.Fatalf("no section in %s", data)
	}
	return lines
}

// addr is a container's address in its n-th network.
func (a Attachment) addr(n int) string { return a.Networks[n].Addresses[0].Addr().String() }

// nothingLeft checks that no attachment, address, rule of a container, or
// device is left, and after the networks are removed nothing at all.
func nothingLeft(t *testing.T, s *Store) {
	t.Helper()
	if all, err := s.Attachments(); err != nil || len(all) > 0 {
		t.Errorf("attachments left: %v, %v", all, err)
	}
	for _, pattern := range []string{"ipam/*/[0-9]*", "cni/results/*", "user/*", "attachments/*", "*/.new-*"} {
		if left, _ := filepath.Glob(s.path(pattern)); len(left) > 0 {
			t.Errorf("files left: %q", left)
		}
	}
	networks, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range networks {
		if err := s.Remove(n.Name); err != nil {
			t.Error(err)
		}
	}
	rules := run(t, "iptables-save")
	for line := range strings.Lines(rules) {
		if strings.Contains(line, "DAVIT") || strings.Contains(line, "CNI-DN") || strings.Contains(line, "CNI-SN") {
			t.Errorf("rule left: %s", line)
		}
	}
	if links := run(t, "ip", "-o", "link"); strings.Contains(links, bridgePrefix) || strings.Contains(links, "veth") {
		t.Errorf("devices left: %s", links)
	}
}

// helpers are what this program is when a test starts it as another process.
var helpers = map[string]func() int{"user": attachUser, "attach": attachForEver}
