package network

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// routes are the default routes of a container.
func (c container) routes(t *testing.T) string {
	t.Helper()
	var out string
	within(t, c.ns, func() error {
		out = run(t, "ip", "route", "show", "default")
		return nil
	})
	return out
}

// A container that runs comes into a network, and leaves another: its ports, its way
// out and everybody's names go with it.
func TestConnect(t *testing.T) {
	outside := machine(t)
	s := newStore(t)
	for _, name := range []string{"a", "b"} {
		if _, err := s.Create(CreateOptions{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	c, na, nb := newContainer(t, "c"), newContainer(t, "na"), newContainer(t, "nb")
	attach(t, s, na.request("a"))
	b := attach(t, s, nb.request("b"))
	r := c.request("a")
	r.Ports = []Port{{Host: 8080, Container: 80, Protocol: "tcp"}}
	attach(t, s, r)
	serve(t, c.ns, ":80")
	serve(t, nb.ns, ":80")
	if _, err := call(c.ns, b.addr(0)+":80"); err == nil {
		t.Fatal("it reaches a network that it is not in")
	}

	r.Networks = []Join{{Network: "b", Aliases: []string{"alias"}}}
	for range 2 { // the second time there is nothing to do
		if err := s.Connect(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	now, err := s.Attachment("c")
	if err != nil || len(now.Networks) != 2 || now.Networks[1].Interface != "eth1" {
		t.Fatalf("got %+v, %v", now, err)
	}
	if from, err := call(c.ns, b.addr(0)+":80"); err != nil || from.String() != now.addr(1) {
		t.Errorf("from the container: seen as %v, %v", from, err)
	}
	if got, want := nb.hosts(t), fmt.Sprintf("%s\tnb\n%s\tc alias\n", b.addr(0), now.addr(1)); got != want {
		t.Errorf("the neighbour's hosts: %q, want %q", got, want)
	}
	if got := c.hosts(t); !strings.Contains(got, b.addr(0)+"\tnb\n") || !strings.Contains(got, "\tna\n") {
		t.Errorf("its own hosts: %q", got)
	}

	if got := c.routes(t); strings.Count(got, "default") != 1 || !strings.Contains(got, now.Networks[0].Gateways[0].String()) {
		t.Errorf("its way out is by the second network: %q", got)
	}

	for range 2 {
		if err := s.Disconnect(t.Context(), "c", "a", Keep); err != nil {
			t.Fatal(err)
		}
	}
	if got := na.hosts(t); strings.Contains(got, "\tc\n") {
		t.Errorf("the other neighbour's hosts: %q", got)
	}
	if got := c.hosts(t); strings.Contains(got, "\tna\n") || !strings.Contains(got, "\tnb\n") {
		t.Errorf("its own hosts, then: %q", got)
	}
	if got := c.routes(t); !strings.Contains(got, now.Networks[1].Gateways[0].String()) {
		t.Errorf("its way out: %q", got)
	}
	for _, from := range []string{outside, ""} {
		if _, err := call(from, hostAddr+":8080"); err != nil {
			t.Errorf("its port, from %q: %v", from, err)
		}
	}
	if err := s.Disconnect(t.Context(), "c", "b", Keep); err != nil {
		t.Fatal(err)
	}
	if _, err := call(outside, hostAddr+":8080"); err == nil {
		t.Error("the port of a container without a network is reached")
	}
	if err := s.Connect(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if _, err := call(outside, hostAddr+":8080"); err != nil {
		t.Errorf("its port in the one network that it has: %v", err)
	}
	for _, id := range []string{"c", "na", "nb"} {
		detach(t, s, id)
	}
	nothingLeft(t, s)
}

// Ports are not published in a network that leads nowhere.
func TestDisconnectLeavesInternal(t *testing.T) {
	outside := machine(t)
	s := newStore(t)
	if _, err := s.Create(CreateOptions{Name: "shut", Internal: true}); err != nil {
		t.Fatal(err)
	}
	c := newContainer(t, "c")
	serve(t, c.ns, ":80")
	r := c.request(DefaultName, "shut")
	r.Ports = []Port{{Host: 8080, Container: 80, Protocol: "tcp"}}
	attach(t, s, r)
	if err := s.Disconnect(t.Context(), "c", DefaultName, Keep); err != nil {
		t.Fatal(err)
	}
	if a, err := s.Attachment("c"); err != nil || len(a.Ports) > 0 || len(a.Networks) != 1 {
		t.Errorf("got %+v, %v", a, err)
	}
	if got := c.routes(t); got != "" {
		t.Errorf("a way out: %q", got)
	}
	r.Networks = r.Networks[:1]
	if err := s.Connect(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if _, err := call(outside, hostAddr+":8080"); err != nil {
		t.Errorf("its port: %v", err)
	}
	if a, err := s.Attachment("c"); err != nil || a.Networks[0].Network != DefaultName || a.Networks[0].Interface != "eth0" {
		t.Errorf("got %+v, %v", a, err)
	}
	detach(t, s, "c")
	nothingLeft(t, s)
}

// What fails leaves the container as it was.
func TestConnectFails(t *testing.T) {
	machine(t)
	s := newStore(t)
	n, err := s.Create(CreateOptions{Name: "b"})
	if err != nil {
		t.Fatal(err)
	}
	c, other := newContainer(t, "c"), newContainer(t, "other")
	if err := s.Connect(t.Context(), c.request("b")); !errors.Is(err, ErrNotAttached) {
		t.Errorf("one that does not run: %v", err)
	}
	b := attach(t, s, other.request("b"))
	attach(t, s, c.request(DefaultName))
	hosts := c.hosts(t)
	for _, tt := range []struct {
		name string
		join Join
		want string
	}{
		{"no such network", Join{Network: "nothing"}, "does not exist"},
		{"foreign address", Join{Network: "b", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}, "in none of its subnets"},
		{"the gateway's", Join{Network: "b", Addresses: []netip.Addr{n.Subnets[0].Gateway}}, "the network's own"},
		{"another's address", Join{Network: "b", Addresses: []netip.Addr{b.Networks[0].Addresses[0].Addr()}}, "not available"},
		{"alias", Join{Network: "b", Aliases: []string{"a b"}}, "host name"},
	} {
		r := c.request()
		r.Networks = []Join{tt.join}
		if err := s.Connect(t.Context(), r); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v", tt.name, err)
		}
		if a, err := s.Attachment("c"); err != nil || len(a.Networks) != 1 || c.hosts(t) != hosts {
			t.Fatalf("%s: it is left as %+v, %v", tt.name, a, err)
		}
	}
	detach(t, s, "c")
	detach(t, s, "other")
	nothingLeft(t, s)
}

// A bridge that a killed plugin made serves those who come later.
func TestBridgeOfKilledPlugin(t *testing.T) {
	machine(t)
	s := newStore(t)
	n, err := s.Create(CreateOptions{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	run(t, "ip", "link", "add", n.Bridge, "type", "bridge")
	run(t, "ip", "link", "add", "port", "type", "veth", "peer", "name", "port0")
	run(t, "ip", "link", "set", "port", "master", n.Bridge)
	run(t, "ip", "link", "del", "port") // with which its address goes
	attach(t, s, newContainer(t, "c").request("a"))
	detach(t, s, "c")
	nothingLeft(t, s)
}
