package network

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// Files are a container's /etc/hosts, /etc/hostname and /etc/resolv.conf, to be
// bind-mounted from Dir. A container of kind Container has the other one's.
type Files struct {
	Dir      string // of the container's, where nobody else writes
	Kind     Kind
	Hostname string
	Domain   string // after the host name, where not empty
	DNS      DNS
	Hosts    []HostEntry // --add-host
}

// HostEntry is a line of a hosts file.
type HostEntry struct {
	Name string
	Addr netip.Addr // not set: the host, as the container reaches it
}

// hostGateway is the word for the host's address.
const hostGateway = "host-gateway"

// ParseHost reads what --add-host takes: NAME:ADDRESS or NAME=ADDRESS, of which
// the address may be host-gateway.
func ParseHost(word string) (HostEntry, error) {
	i := strings.IndexAny(word, ":=")
	if i < 0 {
		return HostEntry{}, fmt.Errorf("--add-host %q: not NAME:ADDRESS", word)
	}
	e := HostEntry{Name: word[:i]}
	if err := checkHost(e.Name); err != nil {
		return HostEntry{}, fmt.Errorf("--add-host %q: %w", word, err)
	}
	text := word[i+1:]
	if text == hostGateway {
		return e, nil
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil || addr.Zone() != "" {
		return HostEntry{}, fmt.Errorf("--add-host %q: %q is no address", word, text)
	}
	e.Addr = addr
	return e, nil
}

// The paths of the three.
func (f Files) HostsPath() string    { return filepath.Join(f.Dir, "hosts") }
func (f Files) HostnamePath() string { return filepath.Join(f.Dir, "hostname") }
func (f Files) ResolvPath() string   { return filepath.Join(f.Dir, "resolv.conf") }

// Write makes the files, or writes them anew in place, with what is known
// before the container has a network; Attach does the rest.
func (f Files) Write() error { return f.write(reached{}) }

// reached is what is known of a container's network once it has one.
type reached struct {
	gateway netip.Addr   // the host
	dns     []netip.Addr // of the network's own
	lines   []string     // of the section of the hosts file
	final   bool         // there is no more to be known
}

func (f Files) write(r reached) error {
	hosts, err := f.hosts(r)
	if err != nil {
		return err
	}
	resolv, err := f.resolv(r)
	if err != nil {
		return err
	}
	for path, content := range map[string]string{f.HostsPath(): hosts, f.HostnamePath(): f.Hostname + "\n", f.ResolvPath(): resolv} {
		if err := writeInPlace(path, content); err != nil {
			return err
		}
	}
	return nil
}

// writeInPlace gives a file another content, or makes it, mode 0644 whatever
// the umask: a container's users read it.
func writeInPlace(path, content string) error {
	f, err := openRegular(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return fmt.Errorf("writing a container's %s: %w", filepath.Base(path), err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err != nil {
		return fmt.Errorf("writing a container's %s: %w", filepath.Base(path), err)
	}
	old := make([]byte, min(fi.Size(), maxHosts))
	n, _ := f.ReadAt(old, 0)
	return overwrite(f, old[:n], []byte(content))
}

func (f Files) hosts(r reached) (string, error) {
	if err := checkHost(f.Hostname); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(standardHosts)
	if f.Kind == Host {
		b.Reset()
		if data, err := os.ReadFile("/etc/hosts"); err == nil {
			b.Write(data)
		}
		b.WriteString("\n")
	}
	for _, e := range f.Hosts {
		line, err := e.line(f.Kind, r.gateway)
		if err == nil && line == "" && r.final {
			err = fmt.Errorf("--add-host %s: the container has no address by which to reach the host", e.Name)
		}
		if err != nil {
			return "", err
		}
		b.WriteString(line)
	}
	if f.Kind == None || f.Kind == User {
		b.WriteString("127.0.1.1\t" + f.fullName() + "\n")
	}
	if f.Kind == Named {
		b.WriteString(section(r.lines))
	}
	return b.String(), nil
}

// fullName is the host name, with and without its domain.
func (f Files) fullName() string {
	if f.Domain == "" {
		return f.Hostname
	}
	return f.Hostname + "." + f.Domain + " " + f.Hostname
}

// line is empty for the host's address as long as it is not known.
func (e HostEntry) line(k Kind, gateway netip.Addr) (string, error) {
	if err := checkHost(e.Name); err != nil {
		return "", err
	}
	addr := e.Addr
	if !addr.IsValid() {
		addr = gateway
	}
	if !addr.IsValid() && (k == Host || k == None) {
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if !addr.IsValid() {
		return "", nil
	}
	return addr.String() + "\t" + e.Name + "\n", nil
}

func (f Files) resolv(r reached) (string, error) {
	if err := f.DNS.check(); err != nil {
		return "", err
	}
	host := readHostDNS(f.Kind == Host)
	if len(r.dns) > 0 {
		host.Servers = r.dns
	}
	if len(host.Servers) == 0 && (f.Kind == Named || f.Kind == User) {
		host.Servers = publicServers
	}
	return f.DNS.over(host).text(), nil
}
