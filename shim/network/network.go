package network

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/davit-containers/davit/shim/internal/statefile"
)

// Network is a bridge with a subnet or two.
type Network struct {
	Name     string
	ID       string // 64 hexadecimal digits
	Created  time.Time
	Bridge   string // the host's network device
	Subnets  []Subnet
	Internal bool              `json:",omitempty"` // without a way out of the host
	MTU      int               `json:",omitempty"` // 0: the kernel's
	Labels   map[string]string `json:",omitempty"`
}

// Subnet is what a network's addresses are from.
type Subnet struct {
	Prefix  netip.Prefix
	Gateway netip.Addr // the host's address in it; the first of the subnet where not set
}

// Store keeps networks and attachments below a directory.
type Store struct {
	root string
	cni  *plugins
}

// Options are those of a store; zero values are the usual ones.
type Options struct {
	PluginDirs []string // where CNI's plugins are; the usual places of distributions
}

// Open makes the directory, mode 0700, or goes on with the one that is there.
func Open(root string, o Options) (*Store, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("opening networks: %w", err)
	}
	s := &Store{root: root}
	for _, dir := range []string{"networks", "attachments", "user"} {
		if err := os.MkdirAll(s.path(dir), 0o700); err != nil {
			return nil, fmt.Errorf("opening networks: %w", err)
		}
	}
	s.cni = newPlugins(o.PluginDirs, s.path("cni"))
	return s, nil
}

func (s *Store) path(names ...string) string {
	return filepath.Join(append([]string{s.root}, names...)...)
}

func (s *Store) conflist(name string) string { return s.path("networks", name+".conflist") }

func (s *Store) lock() (*statefile.Lock, error) { return statefile.Acquire(s.path("lock")) }

// CreateOptions describe a network to be made.
type CreateOptions struct {
	Name     string
	Subnets  []Subnet // of IPv4, IPv6 or one of each; a free one of IPv4 where empty
	Internal bool
	MTU      int
	Labels   map[string]string
}

// Create makes a network. ErrExist: there is one of that name. Nothing of the
// host is changed until a container comes.
func (s *Store) Create(o CreateOptions) (Network, error) {
	if err := checkNetworkName(o.Name); err != nil {
		return Network{}, err
	}
	l, err := s.lock()
	if err != nil {
		return Network{}, err
	}
	defer l.Release()
	if _, err := s.read(o.Name); err == nil {
		return Network{}, fmt.Errorf("creating network %s: %w", o.Name, ErrExist)
	} else if !errors.Is(err, ErrNotExist) {
		return Network{}, err
	}
	return s.create(o)
}

// create makes a network under the lock.
func (s *Store) create(o CreateOptions) (Network, error) {
	id := newID()
	n := Network{Name: o.Name, ID: id, Created: time.Now().UTC(), Bridge: bridgePrefix + id[:8],
		Internal: o.Internal, MTU: o.MTU, Labels: o.Labels}
	if o.MTU < 0 || o.MTU > 65535 {
		return Network{}, fmt.Errorf("creating network %s: MTU %d is out of range", o.Name, o.MTU)
	}
	taken, err := s.taken()
	if err != nil {
		return Network{}, fmt.Errorf("creating network %s: %w", o.Name, err)
	}
	if n.Subnets, err = chooseSubnets(o.Subnets, taken); err != nil {
		return Network{}, fmt.Errorf("creating network %s: %w", o.Name, err)
	}
	data, err := s.list(n)
	if err != nil {
		return Network{}, err
	}
	return n, statefile.Write(s.conflist(n.Name), data)
}

func newID() string {
	var id [32]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// bridgePrefix is how the names of all our bridges begin, of every store. With
// a part of the network's id behind it that is 13 of at most 15 characters, and
// no device or chain of a network that was removed is taken for this one's.
const bridgePrefix = "davit"

// Get is a network by its name. ErrNotExist: there is none.
func (s *Store) Get(name string) (Network, error) {
	if err := checkName("network", name); err != nil {
		return Network{}, err
	}
	return s.read(name)
}

func (s *Store) read(name string) (Network, error) {
	var list struct{ Davit Network }
	err := statefile.ReadJSON(s.conflist(name), &list)
	if errors.Is(err, os.ErrNotExist) {
		return Network{}, fmt.Errorf("network %s: %w", name, ErrNotExist)
	}
	return list.Davit, err
}

// Conflist is a network's CNI configuration list.
func (s *Store) Conflist(name string) (json.RawMessage, error) {
	n, err := s.Get(name)
	if err != nil {
		return nil, err
	}
	return s.list(n)
}

// List are all networks, by name.
func (s *Store) List() ([]Network, error) {
	l, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer l.Release()
	return s.all()
}

func (s *Store) all() ([]Network, error) {
	names, err := statefile.Names(s.path("networks"), ".conflist")
	if err != nil {
		return nil, fmt.Errorf("listing networks: %w", err)
	}
	networks := make([]Network, 0, len(names))
	for _, name := range names {
		n, err := s.read(name)
		if err != nil {
			return nil, fmt.Errorf("listing networks: %w", err)
		}
		networks = append(networks, n)
	}
	return networks, nil
}

// Remove removes a network with its bridge and its rules. ErrInUse: containers
// are attached, which the error names.
func (s *Store) Remove(name string) error {
	n, err := s.Get(name)
	if err != nil {
		return fmt.Errorf("removing %w", err)
	}
	l, err := s.lock()
	if err != nil {
		return err
	}
	defer l.Release()
	members, err := s.members(name)
	if err != nil {
		return err
	}
	if len(members) > 0 {
		return fmt.Errorf("removing network %s: %w by container %s", name, ErrInUse, members[0].Container)
	}
	err = s.undoOnGround(func() error { return errors.Join(removeRules(n), removeBridge(n.Bridge)) })
	if err != nil {
		return fmt.Errorf("removing network %s: %w", name, err)
	}
	if err := os.RemoveAll(s.path("ipam", name)); err != nil {
		return fmt.Errorf("removing network %s: %w", name, err)
	}
	if err := os.Remove(s.conflist(name)); err != nil {
		return fmt.Errorf("removing network %s: %w", name, err)
	}
	return nil
}
