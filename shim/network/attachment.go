package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containernetworking/cni/libcni"

	"github.com/davit-containers/davit/shim/internal/statefile"
)

// Attachment is a container's network as it is on disk.
type Attachment struct {
	Container string
	Names     []string // by which others find it
	Hosts     string   `json:",omitempty"` // the path of its hosts file, or nothing
	Ports     []Port   `json:",omitempty"` // as they are published
	Networks  []Joined `json:",omitempty"`
	User      *Process `json:",omitempty"` // of pasta or slirp4netns
	Ready     bool     // false: it was being made, or unmade

	Namespace identity // of the container
	Path      string   // by which its namespace was named
}

// Joined is a container's place in one network.
type Joined struct {
	Network   string
	Interface string         // in the container
	Addresses []netip.Prefix `json:",omitempty"`
	Gateways  []netip.Addr   `json:",omitempty"`
	MAC       string         `json:",omitempty"`
	Aliases   []string       `json:",omitempty"`

	List  json.RawMessage // the configuration that it was joined with
	Wants wants
}

// wants is what a user asked for.
type wants struct {
	Addresses []netip.Addr `json:",omitempty"`
	MAC       string       `json:",omitempty"`
}

func (s *Store) attachment(container string) string {
	return s.path("attachments", container+".json")
}

// Attachment is a container's network. os.ErrNotExist: it has none.
func (s *Store) Attachment(container string) (Attachment, error) {
	var a Attachment
	if err := checkName("container", container); err != nil {
		return a, err
	}
	err := statefile.ReadJSON(s.attachment(container), &a)
	return a, err
}

// Attachments are those of all containers, also of containers that are gone and
// were never detached.
func (s *Store) Attachments() ([]Attachment, error) {
	l, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer l.Release()
	return s.attachments()
}

func (s *Store) attachments() ([]Attachment, error) {
	names, err := statefile.Names(s.path("attachments"), ".json")
	if err != nil {
		return nil, fmt.Errorf("listing attachments: %w", err)
	}
	all := make([]Attachment, 0, len(names))
	for _, name := range names {
		a, err := s.Attachment(name)
		if err != nil {
			return nil, fmt.Errorf("listing attachments: %w", err)
		}
		all = append(all, a)
	}
	return all, nil
}

// members are the containers of a network.
func (s *Store) members(network string) ([]Attachment, error) {
	all, err := s.attachments()
	return slices.DeleteFunc(all, func(a Attachment) bool { return a.in(network) == nil }), err
}

// in is the container's place in a network, or nil.
func (a Attachment) in(network string) *Joined {
	for i := range a.Networks {
		if a.Networks[i].Network == network {
			return &a.Networks[i]
		}
	}
	return nil
}

func (s *Store) write(a Attachment) error {
	return statefile.WriteJSON(s.attachment(a.Container), a)
}

// erase is the end of an attachment, under the lock.
func (s *Store) erase(a Attachment) error {
	if err := os.Remove(s.attachment(a.Container)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forgetting an attachment: %w", err)
	}
	return nil
}

// runtime is what the plugins are told of a container's place in a network.
func (a Attachment) runtime(j Joined, namespace string, ports []Port) *libcni.RuntimeConf {
	args := object{}
	if len(ports) > 0 {
		args["portMappings"] = mappings(ports)
	}
	if len(j.Wants.Addresses) > 0 {
		args["ips"] = j.Wants.Addresses
	}
	if j.Wants.MAC != "" {
		args["mac"] = j.Wants.MAC
	}
	return &libcni.RuntimeConf{ContainerID: a.Container, NetNS: namespace, IfName: j.Interface, CapabilityArgs: args}
}

// published are the ports that a container's n-th network publishes: its first
// has them all.
func (a Attachment) published(n int) []Port {
	if n == 0 {
		return a.Ports
	}
	return nil
}

// hostLines are the lines of a's hosts file: every container of its networks
// with each of its addresses there, its own first.
func hostLines(a Attachment, all []Attachment) []string {
	var lines []string
	for _, own := range []bool{true, false} {
		for _, other := range all {
			if (other.Container == a.Container) != own {
				continue
			}
			for _, j := range other.Networks {
				if a.in(j.Network) != nil {
					lines = append(lines, other.lines(j)...)
				}
			}
		}
	}
	return lines
}

// lines are those of one place in a network.
func (a Attachment) lines(j Joined) (lines []string) {
	names := strings.Join(append(slices.Clone(a.Names), j.Aliases...), " ")
	for _, p := range j.Addresses {
		lines = append(lines, p.Addr().String()+"\t"+names+"\n")
	}
	return lines
}

// updateNeighbours rewrites the hosts files of all containers that share a
// network with a, under the lock. One that cannot be written is no reason to
// stop another container from coming or going; the errors are joined.
func updateNeighbours(a Attachment, all []Attachment) error {
	var errs []error
	for _, other := range all {
		if other.Container == a.Container || other.Hosts == "" || !other.sharesWith(a) {
			continue
		}
		if err := updateHosts(other.Hosts, hostLines(other, all)); err != nil {
			errs = append(errs, fmt.Errorf("container %s: %w", other.Container, err))
		}
	}
	return errors.Join(errs...)
}

func (a Attachment) sharesWith(b Attachment) bool {
	return slices.ContainsFunc(a.Networks, func(j Joined) bool { return b.in(j.Network) != nil })
}

// checkMAC says what is wrong with the hardware address of a container.
func checkMAC(mac net.HardwareAddr) error {
	if len(mac) != 0 && (len(mac) != 6 || mac[0]&1 != 0) {
		return fmt.Errorf("MAC address %s is not that of one Ethernet device", mac)
	}
	return nil
}

// absolute refuses paths that depend on a working directory.
func absolute(path string) error {
	if path != "" && !filepath.IsAbs(path) {
		return fmt.Errorf("%s is no absolute path", path)
	}
	return nil
}
