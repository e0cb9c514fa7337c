package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func TestBridge(t *testing.T) {
	outside := machine(t)
	s := newStore(t)
	c1, c2 := newContainer(t, "web"), newContainer(t, "db")
	a1 := attach(t, s, c1.request(DefaultName))
	r2 := c2.request(DefaultName)
	r2.Networks[0].Aliases = []string{"database"}
	a2 := attach(t, s, r2)

	serve(t, c2.ns, ":80")
	serve(t, outside, ":80")
	if from, err := call(c1.ns, a2.addr(0)+":80"); err != nil || from.String() != a1.addr(0) {
		t.Errorf("from one container to the other: seen as %v, %v", from, err)
	}
	if from, err := call(c1.ns, outsideAddr+":80"); err != nil || from.String() != hostAddr {
		t.Errorf("from a container to another machine: seen as %v, %v", from, err)
	}
	if _, err := call(c2.ns, "127.0.0.1:80"); err != nil {
		t.Errorf("lo: %v", err)
	}
	within(t, outside, func() error {
		run(t, "ip", "route", "add", a2.Networks[0].Addresses[0].Masked().String(), "via", hostAddr)
		return nil
	})
	if _, err := call(outside, a2.addr(0)+":80"); err == nil {
		t.Error("another machine reached a port that is not published")
	}

	web, db := a1.addr(0)+"\tweb\n", a2.addr(0)+"\tdb database\n"
	if got := c1.hosts(t); got != web+db {
		t.Errorf("hosts of the first: %q", got)
	}
	if got := c2.hosts(t); got != db+web {
		t.Errorf("hosts of the second: %q", got)
	}
	if _, err := call("", a2.addr(0)+":80"); err != nil {
		t.Errorf("from the host: %v", err)
	}
	if err := s.Remove(DefaultName); !errors.Is(err, ErrInUse) {
		t.Errorf("removing it: %v", err)
	}
	detach(t, s, "db")
	if got := c1.hosts(t); got != web {
		t.Errorf("hosts of the first, then: %q", got)
	}
	detach(t, s, "web")
	detach(t, s, "web")
	nothingLeft(t, s)
}

func TestAddresses(t *testing.T) {
	machine(t)
	s := newStore(t)
	subnet := netip.MustParsePrefix("10.200.0.0/24")
	v6 := netip.MustParsePrefix("fd00:1::/64")
	n, err := s.Create(CreateOptions{Name: "front", Subnets: []Subnet{{Prefix: subnet}, {Prefix: v6}}, MTU: 1400, Labels: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(CreateOptions{Name: "back"}); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get("front"); err != nil || fmt.Sprint(got) != fmt.Sprint(n) {
		t.Errorf("got %+v, %v, want %+v", got, err, n)
	}
	c := newContainer(t, "c")
	c.files.Hosts = []HostEntry{{Name: "gw"}, {Name: "x", Addr: netip.MustParseAddr("192.0.2.9")}}
	r := c.request("front", "back")
	mac, _ := net.ParseMAC("02:42:ac:11:00:02")
	r.Networks[0].Addresses = []netip.Addr{netip.MustParseAddr("10.200.0.77")}
	r.Networks[0].MAC = mac
	a := attach(t, s, r)
	front := a.Networks[0]
	if front.Addresses[0].String() != "10.200.0.77/24" || len(front.Addresses) != 2 || !v6.Contains(front.Addresses[1].Addr()) || front.MAC != mac.String() || front.Interface != "eth0" {
		t.Errorf("got %+v", front)
	}
	within(t, c.ns, func() error {
		link := run(t, "ip", "addr", "show", "eth0")
		for _, want := range []string{"10.200.0.77/24", mac.String(), "mtu 1400", "fd00:1::"} {
			if !strings.Contains(link, want) {
				t.Errorf("no %s in %s", want, link)
			}
		}
		if link := run(t, "ip", "addr", "show", "eth1"); !strings.Contains(link, a.addr(1)) {
			t.Errorf("eth1: %s", link)
		}
		return nil
	})
	data, _ := os.ReadFile(c.files.HostsPath())
	for _, want := range []string{"10.200.0.1\tgw\n", "192.0.2.9\tx\n", "10.200.0.77\tc\n"} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %q in %s", want, data)
		}
	}
	again := newContainer(t, "again")
	r = again.request("front")
	r.Networks[0].Addresses = []netip.Addr{netip.MustParseAddr("10.200.0.77")}
	if _, err := s.Attach(t.Context(), r); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("the same address again: %v", err)
	}
	detach(t, s, "c")
	nothingLeft(t, s)
}

func TestNetworksAreApart(t *testing.T) {
	outside := machine(t)
	s := newStore(t)
	for _, o := range []CreateOptions{{Name: "a"}, {Name: "b"}, {Name: "shut", Internal: true}} {
		if _, err := s.Create(o); err != nil {
			t.Fatal(err)
		}
	}
	ca, cb, cs, cs2 := newContainer(t, "ca"), newContainer(t, "cb"), newContainer(t, "cs"), newContainer(t, "cs2")
	attach(t, s, ca.request("a"))
	rb := cb.request("b")
	rb.Ports = []Port{{Host: 8080, Container: 80, Protocol: "tcp"}}
	ab := attach(t, s, rb)
	as := attach(t, s, cs.request("shut"))
	attach(t, s, cs2.request("shut"))
	for _, ns := range []string{cb.ns, cs.ns, outside} {
		serve(t, ns, ":80")
	}
	for _, tt := range []struct {
		name, from, to string
		reached        bool
	}{
		{"another network", ca.ns, ab.addr(0) + ":80", false},
		{"another network's published port", ca.ns, hostAddr + ":8080", true},
		{"its own published port", cb.ns, hostAddr + ":8080", true},
		{"inside an internal network", cs2.ns, as.addr(0) + ":80", true},
		{"out of an internal network", cs.ns, outsideAddr + ":80", false},
		{"into an internal network", ca.ns, as.addr(0) + ":80", false},
		{"out of an internal network into another", cs.ns, ab.addr(0) + ":80", false},
	} {
		if _, err := call(tt.from, tt.to); (err == nil) != tt.reached {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if got := cs.hosts(t); strings.Contains(got, "ca") || !strings.Contains(got, "cs2") {
		t.Errorf("names in the internal network: %q", got)
	}
	r := newContainer(t, "cp").request("shut")
	r.Ports = []Port{{Container: 80, Protocol: "tcp"}}
	if _, err := s.Attach(t.Context(), r); err == nil {
		t.Error("an internal network publishes a port")
	}
	for _, c := range []container{ca, cb, cs, cs2} {
		detach(t, s, c.id)
	}
	nothingLeft(t, s)
}

func TestPublish(t *testing.T) {
	outside := machine(t)
	s := newStore(t)
	c := newContainer(t, "web")
	r := c.request(DefaultName)
	local := netip.MustParseAddr("127.0.0.1")
	r.Ports = []Port{{Host: 8080, Container: 80, Protocol: "tcp"}, {Container: 80, Protocol: "tcp"}, {HostIP: local, Host: 8081, Container: 80, Protocol: "tcp"}, {Container: 53, Protocol: "udp"}}
	a := attach(t, s, r)
	serve(t, c.ns, ":80")
	random := a.Ports[1].Host
	if random == 0 || a.Ports[3].Host == 0 {
		t.Fatalf("ports: %v", a.Ports)
	}
	for _, tt := range []struct {
		name, from, to string
		reached        bool
	}{
		{"from another machine", outside, hostAddr + ":8080", true},
		{"a random one", outside, fmt.Sprintf("%s:%d", hostAddr, random), true},
		{"from the host", "", hostAddr + ":8080", true},
		{"from the host's lo", "", "127.0.0.1:8080", true},
		{"on lo alone", "", "127.0.0.1:8081", true},
		{"on lo alone, from another machine", outside, hostAddr + ":8081", false},
	} {
		if _, err := call(tt.from, tt.to); (err == nil) != tt.reached {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	other := newContainer(t, "other")
	for _, p := range []Port{{Host: 8080, Container: 1, Protocol: "tcp"}, {HostIP: local, Host: 8080, Container: 1, Protocol: "tcp"}} {
		r := other.request(DefaultName)
		r.Ports = []Port{p}
		if _, err := s.Attach(t.Context(), r); !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("%v again: %v", p, err)
		}
	}
	l, err := net.Listen("tcp", ":8090")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r = other.request(DefaultName)
	r.Ports = []Port{{Host: 8090, Container: 1, Protocol: "tcp"}}
	if _, err := s.Attach(t.Context(), r); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a program's port: %v", err)
	}
	detach(t, s, "web")
	if _, err := call(outside, hostAddr+":8080"); err == nil {
		t.Error("the port is still published")
	}
	r.Ports = []Port{{Host: 8080, Container: 1, Protocol: "tcp"}}
	attach(t, s, r)
	detach(t, s, "other")
	nothingLeft(t, s)
}

// Rules that somebody flushed come back with the next container.
func TestFlushedRules(t *testing.T) {
	outside := machine(t)
	s := newStore(t)
	serve(t, outside, ":80")
	c, next := newContainer(t, "c"), newContainer(t, "next")
	attach(t, s, c.request(DefaultName))
	for _, table := range []string{"nat", "filter"} {
		before := run(t, "iptables-save", "-t", table)
		run(t, "iptables", "-t", table, "-F")
		attach(t, s, next.request(DefaultName))
		if after := run(t, "iptables-save", "-t", table); strings.Count(after, "DAVIT") != strings.Count(before, "DAVIT") {
			t.Errorf("%s has %s, had %s", table, after, before)
		}
		if from, err := call(c.ns, outsideAddr+":80"); err != nil || from.String() != hostAddr {
			t.Errorf("after %s: seen as %v, %v", table, from, err)
		}
		detach(t, s, "next")
	}
	detach(t, s, "c")
	nothingLeft(t, s)
}

// Containers that come at once get addresses of their own, and all names.
func TestAttachTogether(t *testing.T) {
	machine(t)
	s := newStore(t)
	const count = 8
	var containers [count]container
	for i := range containers {
		containers[i] = newContainer(t, fmt.Sprintf("c%d", i))
	}
	var wg sync.WaitGroup
	var addrs [count]string
	for i, c := range containers {
		wg.Go(func() {
			mine, err := Open(s.root, Options{}) // as another process would
			if err != nil {
				t.Error(err)
				return
			}
			r := c.request(DefaultName)
			r.Ports = []Port{{Container: 80, Protocol: "tcp"}}
			a, err := mine.Attach(t.Context(), r)
			if err != nil {
				t.Error(err)
				return
			}
			addrs[i] = a.addr(0)
		})
	}
	wg.Wait()
	for _, c := range containers {
		hosts := c.hosts(t)
		for i, addr := range addrs {
			if strings.Count(hosts, addr+"\tc"+fmt.Sprint(i)+"\n") != 1 {
				t.Errorf("%s: not exactly one %s of c%d in %q", c.id, addr, i, hosts)
			}
		}
	}
	for _, c := range containers {
		wg.Go(func() {
			if err := s.Detach(t.Context(), c.id); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	nothingLeft(t, s)
}

// A container whose namespace is gone, and whose path names another one by now,
// is detached whole, and the other one is left alone.
func TestDetachWithoutNamespace(t *testing.T) {
	machine(t)
	s := newStore(t)
	gone, other := newContainer(t, "gone"), newContainer(t, "other")
	r := gone.request(DefaultName)
	r.Ports = []Port{{Host: 8080, Container: 80, Protocol: "tcp"}}
	attach(t, s, r)
	a := attach(t, s, other.request(DefaultName))
	if err := unix.Unmount(gone.ns, unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(other.ns, gone.ns, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	detach(t, s, "gone")
	serve(t, other.ns, ":80")
	if _, err := call("", a.addr(0)+":80"); err != nil {
		t.Errorf("the other container: %v", err)
	}
	detach(t, s, "other")
	nothingLeft(t, s)
}

// What a crash leaves at any step is detached.
func TestDetachAfterCrash(t *testing.T) {
	machine(t)
	for _, step := range []string{"reserved", "half joined", "joined"} {
		t.Run(step, func(t *testing.T) {
			s := newStore(t)
			c := newContainer(t, "c")
			if _, err := s.Create(CreateOptions{Name: "second"}); err != nil {
				t.Fatal(err)
			}
			r := c.request(DefaultName, "second")
			r.Ports = []Port{{Host: 8080, Container: 80, Protocol: "tcp"}}
			ns, err := openNamespace(c.ns)
			if err != nil {
				t.Fatal(err)
			}
			defer ns.close()
			a, err := s.reserve(r, ns)
			if err != nil {
				t.Fatal(err)
			}
			if step == "half joined" {
				a.Networks = a.Networks[:1]
			}
			if step != "reserved" {
				own, err := s.lockContainer("c")
				if err != nil {
					t.Fatal(err)
				}
				err = s.join(t.Context(), &a, ns, own)
				if own.Release(); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Remove("second"); !errors.Is(err, ErrInUse) {
				t.Errorf("removing a network meanwhile: %v", err)
			}
			attach(t, s, r) // the next start detaches first
			detach(t, s, "c")
			nothingLeft(t, s)
		})
	}
}

func TestAttachRefuses(t *testing.T) {
	machine(t)
	s := newStore(t)
	c := newContainer(t, "c")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	change := func(f func(*Request)) Request {
		r := c.request(DefaultName)
		f(&r)
		return r
	}
	tests := []struct {
		name string
		r    Request
		want string
	}{
		{"id", change(func(r *Request) { r.Container = "../x" }), `container "../x": `},
		{"network", change(func(r *Request) { r.Networks[0].Network = "a/b" }), `network "a/b": `},
		{"twice", change(func(r *Request) { r.Networks = append(r.Networks, r.Networks[0]) }), "named twice"},
		{"no such network", change(func(r *Request) { r.Networks[0].Network = "none-such" }), "network none-such: network does not exist"},
		{"name", change(func(r *Request) { r.Names = []string{"a\n1.2.3.4 b"} }), "host name "},
		{"alias", change(func(r *Request) { r.Networks[0].Aliases = []string{"a b"} }), "host name "},
		{"multicast MAC", change(func(r *Request) { r.Networks[0].MAC = net.HardwareAddr{1, 0, 0, 0, 0, 1} }), "MAC address"},
		{"foreign address", change(func(r *Request) { r.Networks[0].Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.1")} }), "in none of its subnets"},
		{"the host's namespace", change(func(r *Request) { r.Namespace = "/proc/self/ns/net" }), "the network namespace is the host's"},
		{"no namespace", change(func(r *Request) { r.Namespace = file }), "is none"},
		{"another namespace", change(func(r *Request) { r.Namespace = "/proc/self/ns/mnt" }), "is none"},
		{"missing namespace", change(func(r *Request) { r.Namespace = file + "x" }), "no such file or directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.Attach(t.Context(), tt.r)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	nothingLeft(t, s)
}

func TestMissing(t *testing.T) {
	machine(t)
	t.Run("plugins", func(t *testing.T) {
		s, err := Open(t.TempDir(), Options{PluginDirs: []string{"/nowhere"}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Attach(t.Context(), newContainer(t, "c").request(DefaultName))
		if err == nil || !strings.Contains(err.Error(), "CNI's plugin bridge is in none of /nowhere (is containernetworking-plugins installed?)") {
			t.Error(err)
		}
	})
	t.Run("iptables", func(t *testing.T) {
		empty := t.TempDir()
		for _, dir := range []string{"/usr/local/sbin", "/usr/sbin"} { // in our own mount namespace
			if err := unix.Mount(empty, dir, "", unix.MS_BIND, ""); err != nil {
				t.Fatal(err)
			}
			defer unix.Unmount(dir, unix.MNT_DETACH)
		}
		t.Setenv("PATH", empty)
		s := newStore(t)
		_, err := s.Attach(t.Context(), newContainer(t, "c").request(DefaultName))
		if err == nil || !strings.Contains(err.Error(), "iptables is not on the PATH") {
			t.Error(err)
		}
	})
}

// A failure in the middle leaves nothing.
func TestAttachFails(t *testing.T) {
	machine(t)
	s := newStore(t)
	if _, err := s.Create(CreateOptions{Name: "second"}); err != nil {
		t.Fatal(err)
	}
	c := newContainer(t, "c")
	within(t, c.ns, func() error {
		run(t, "ip", "link", "add", "eth1", "type", "veth", "peer", "name", "p")
		return nil
	})
	if _, err := s.Attach(t.Context(), c.request(DefaultName, "second")); err == nil || !strings.Contains(err.Error(), "network second: ") {
		t.Errorf("got %v", err)
	}
	within(t, c.ns, func() error {
		if links := run(t, "ip", "-o", "link"); strings.Contains(links, "eth0") {
			t.Errorf("left: %s", links)
		}
		return nil
	})
	nothingLeft(t, s)
}
