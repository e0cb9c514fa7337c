package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseMode(t *testing.T) {
	tests := []struct {
		word string
		want Mode
		ok   bool
	}{
		{"", Mode{Named, "bridge"}, true}, {"bridge", Mode{Named, "bridge"}, true}, {"default", Mode{Named, "bridge"}, true},
		{"none", Mode{None, ""}, true}, {"host", Mode{Host, ""}, true}, {"front", Mode{Named, "front"}, true},
		{"container:web", Mode{Container, "web"}, true}, {"private", Mode{User, ""}, true}, {"pasta", Mode{User, "pasta"}, true},
		{"container:", Mode{}, false}, {"container:../x", Mode{}, false}, {"a/b", Mode{}, false}, {"..", Mode{}, false},
		{"a\nb", Mode{}, false}, {"container", Mode{}, false}, {"-x", Mode{}, false}, {strings.Repeat("x", 129), Mode{}, false},
	}
	for _, tt := range tests {
		if got, err := ParseMode(tt.word); got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%q: got %+v, %v", tt.word, got, err)
		}
	}
}

func TestParsePorts(t *testing.T) {
	tests := []struct {
		word string
		want string // what String says of each; nothing: refused
	}{
		{"80", "80/tcp"}, {"8080:80", "8080:80/tcp"}, {"53:53/udp", "53:53/udp"}, {"127.0.0.1:8080:80", "127.0.0.1:8080:80/tcp"},
		{"127.0.0.1::80", "127.0.0.1::80/tcp"}, {"0.0.0.0:80:80", "80:80/tcp"}, {"[::1]:80:80", "[::1]:80:80/tcp"},
		{"8000-8002:80-82", "8000:80/tcp 8001:81/tcp 8002:82/tcp"}, {"8000-8002:80", "80/tcp"}, {"9:9/sctp", "9:9/sctp"},
		{"", ""}, {"x", ""}, {"70000:80", ""}, {"1.2.3:1:1", ""}, {"0", ""}, {"80/x", ""}, {"80-81:1-3", ""}, {"fe80::1%eth0:80:80", ""}, {"-1:80", ""},
	}
	for _, tt := range tests {
		ports, err := ParsePorts([]string{tt.word})
		var got []string
		for _, p := range ports {
			got = append(got, p.String())
		}
		if strings.Join(got, " ") != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: got %q, %v", tt.word, got, err)
		}
	}
}

func TestParseHost(t *testing.T) {
	for word, want := range map[string]string{
		"a:192.0.2.1": "192.0.2.1\ta\n", "a=192.0.2.1": "192.0.2.1\ta\n", "a:2001:db8::1": "2001:db8::1\ta\n", "a:[::1]": "::1\ta\n", "gw:host-gateway": "10.0.0.1\tgw\n",
		"a": "", ":1.2.3.4": "", "a b:1.2.3.4": "", "a\nb:1.2.3.4": "", "a:x": "", "a:fe80::1%lo": "",
	} {
		e, err := ParseHost(word)
		got := ""
		if err == nil {
			got, err = e.line(Named, netip.MustParseAddr("10.0.0.1"))
		}
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v", word, got, err)
		}
	}
}

func TestChooseSubnets(t *testing.T) {
	p := netip.MustParsePrefix
	taken := []netip.Prefix{p("10.90.0.0/16"), p("10.91.0.0/23"), p("192.168.0.0/16")}
	tests := []struct {
		name   string
		wanted []Subnet
		want   string
	}{
		{"free", nil, "[{10.91.2.0/24 10.91.2.1}]"},
		{"given", []Subnet{{Prefix: p("172.30.0.0/24")}}, "[{172.30.0.0/24 172.30.0.1}]"},
		{"gateway", []Subnet{{p("172.30.0.0/24"), netip.MustParseAddr("172.30.0.9")}}, "[{172.30.0.0/24 172.30.0.9}]"},
		{"both", []Subnet{{Prefix: p("172.30.0.0/24")}, {Prefix: p("fd00::/64")}}, "[{172.30.0.0/24 172.30.0.1} {fd00::/64 fd00::1}]"},
		{"two of a family", []Subnet{{Prefix: p("172.30.0.0/24")}, {Prefix: p("172.31.0.0/24")}}, ""},
		{"overlap", []Subnet{{Prefix: p("192.168.7.0/24")}}, ""},
		{"overlap from outside", []Subnet{{Prefix: p("10.0.0.0/8")}}, ""},
		{"no subnet", []Subnet{{Prefix: p("172.30.0.1/24")}}, ""},
		{"too small", []Subnet{{Prefix: p("172.30.0.0/31")}}, ""},
		{"too large", []Subnet{{Prefix: p("0.0.0.0/0")}}, ""},
		{"loopback", []Subnet{{Prefix: p("127.1.0.0/16")}}, ""},
		{"foreign gateway", []Subnet{{p("172.30.0.0/24"), netip.MustParseAddr("172.31.0.1")}}, ""},
		{"invalid", []Subnet{{}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := chooseSubnets(tt.wanted, taken)
			if tt.want == "" && err == nil || tt.want != "" && fmt.Sprint(got) != tt.want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	full := []netip.Prefix{p("10.64.0.0/10")}
	if got, err := freeSubnet(full); err == nil || !strings.Contains(err.Error(), "--subnet") {
		t.Errorf("full: got %v, %v", got, err)
	}
}

func TestNames(t *testing.T) {
	s := newStore(t)
	for _, name := range []string{"", "none", "host", "a/b", "..", ".a", "a b", "a\n", "é", strings.Repeat("a", 200)} {
		if _, err := s.Create(CreateOptions{Name: name}); err == nil {
			t.Errorf("network %q was made", name)
		}
		if err := s.Detach(t.Context(), name); err == nil && name != "none" && name != "host" {
			t.Errorf("container %q was detached", name)
		}
		if err := s.Remove(name); err == nil {
			t.Errorf("network %q was removed", name)
		}
	}
	if entries, _ := os.ReadDir(s.root); len(entries) > 4 {
		t.Errorf("made: %v", entries)
	}
}

func TestHostsSection(t *testing.T) {
	lines := []string{"10.0.0.2\ta\n", "10.0.0.3\tb\n"}
	kept := section(lines)
	tests := []struct{ name, before, want string }{
		{"empty", "", kept},
		{"replaced", "x\n" + section(nil) + "y\n", "x\n" + kept + "y\n"},
		{"the same", kept, kept},
		{"marks removed", "127.0.0.1 localhost", "127.0.0.1 localhost\n" + kept},
		{"end removed", hostsBegin + "x\n", hostsBegin + "x\n" + kept},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "hosts")
			if err := os.WriteFile(path, []byte(tt.before), 0o644); err != nil {
				t.Fatal(err)
			}
			inode, _ := os.Stat(path)
			if err := updateHosts(path, lines); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
			if now, _ := os.Stat(path); !os.SameFile(inode, now) {
				t.Error("it is another file: the container would not see it")
			}
		})
	}
}

// A container owns its hosts file; what it makes of it does not reach further.
func TestHostileHosts(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	link, huge := filepath.Join(dir, "link"), filepath.Join(dir, "huge")
	if err := os.Symlink(victim, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(huge, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 1<<40); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, huge, dir} {
		if err := updateHosts(path, []string{"10.0.0.2\ta\n"}); err == nil {
			t.Errorf("%s was changed", path)
		}
	}
	if data, _ := os.ReadFile(victim); string(data) != "x" {
		t.Errorf("the link was followed: %q", data)
	}
	if err := updateHosts(filepath.Join(dir, "gone"), nil); err != nil {
		t.Errorf("a file that is gone: %v", err)
	}
	if err := (Files{Dir: dir, Hostname: "a\nb"}).Write(); err == nil {
		t.Error("a host name with a newline was written")
	}
	if err := (Files{Dir: dir, Hostname: "a", DNS: DNS{Search: []string{"a\nnameserver 192.0.2.1"}}}).Write(); err == nil {
		t.Error("a search domain with a newline was written")
	}
}

func TestFiles(t *testing.T) {
	host, _ := os.ReadFile("/etc/hosts")
	dns := DNS{Servers: []netip.Addr{netip.MustParseAddr("192.0.2.53")}, Search: []string{"example.com"}, Options: []string{"ndots:2"}}
	tests := []struct {
		name          string
		f             Files
		hosts, resolv string
	}{
		{"named", Files{Kind: Named, DNS: dns}, standardHosts + section(nil), "nameserver 192.0.2.53\nsearch example.com\noptions ndots:2\n"},
		{"none", Files{Kind: None, Domain: "example.com", DNS: DNS{Servers: dns.Servers, Search: []string{"."}, Options: dns.Options}},
			standardHosts + "127.0.1.1\tbox.example.com box\n", "nameserver 192.0.2.53\noptions ndots:2\n"},
		{"host", Files{Kind: Host, DNS: dns, Hosts: []HostEntry{{Name: "gw"}}}, string(host) + "\n127.0.0.1\tgw\n", "nameserver 192.0.2.53\nsearch example.com\noptions ndots:2\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.f.Dir, tt.f.Hostname = t.TempDir(), "box"
			for range 2 { // the second time in place
				if err := tt.f.Write(); err != nil {
					t.Fatal(err)
				}
			}
			for path, want := range map[string]string{tt.f.HostsPath(): tt.hosts, tt.f.ResolvPath(): tt.resolv, tt.f.HostnamePath(): "box\n"} {
				got, _ := os.ReadFile(path)
				if fi, err := os.Stat(path); err != nil || string(got) != want || fi.Mode() != 0o644 {
					t.Errorf("%s: %v, got %q, want %q", path, err, got, want)
				}
			}
		})
	}
}

func TestResolv(t *testing.T) {
	d := parseResolv([]byte("# comment\nnameserver 127.0.0.53 # here\nnameserver 192.0.2.1\nnameserver x\nsearch a b ; no\noptions edns0\noptions trust-ad\nnameserver\n"))
	if got, want := d.text(), "nameserver 127.0.0.53\nnameserver 192.0.2.1\nsearch a b\noptions edns0 trust-ad\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := fmt.Sprint(reachable(d.Servers)); got != "[192.0.2.1]" {
		t.Errorf("reachable: %s", got)
	}
}

func TestConflist(t *testing.T) {
	s := newStore(t)
	n, err := s.Create(CreateOptions{Name: "front", Internal: true})
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Conflist("front")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"cniVersion": "1.0.0"`, `"name": "front"`, `"bridge": "` + n.Bridge + `"`, `"subnet": "10.`, `"routes": []`, `"davit": {`} {
		if !strings.Contains(string(list), want) {
			t.Errorf("no %s in %s", want, list)
		}
	}
	if all, err := s.List(); err != nil || len(all) != 1 || all[0].ID != n.ID || len(n.ID) != 64 || len(n.Bridge) > 15 {
		t.Errorf("listed %+v, %v", all, err)
	}
	if _, err := s.Create(CreateOptions{Name: "front"}); err == nil {
		t.Error("made twice")
	}
}

func TestFind(t *testing.T) {
	s := newStore(t)
	a, err := s.Create(CreateOptions{Name: "front"})
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"front", a.ID, a.ID[:6]} {
		if got, err := s.Find(ref); err != nil || got.ID != a.ID {
			t.Errorf("%s: got %v, %v", ref, got, err)
		}
	}
	for _, ref := range []string{"", "fron", "../front", a.ID + "0"} {
		if got, err := s.Find(ref); !errors.Is(err, ErrNotExist) {
			t.Errorf("%q: got %v, %v", ref, got, err)
		}
	}
}
