package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/davit-containers/davit/shim/internal/statefile"
)

// Request says what a container's network shall be.
type Request struct {
	Container string   // its id
	Namespace string   // its network namespace: /proc/PID/ns/net, or a file where one is mounted
	Names     []string // by which other containers of its networks find it: its name, its host name
	Networks  []Join   // the first has the ports
	Ports     []Port   // to publish
	Files     *Files   // written anew with what the network is; nil: none
}

// Join is a place in a network.
type Join struct {
	Network   string
	Addresses []netip.Addr     // --ip, --ip6; any free one where empty
	MAC       net.HardwareAddr // --mac-address; any where empty
	Aliases   []string         // more names, in this network only
}

// Attach connects a container that has been created and does not run yet to its
// networks, and publishes its ports. What it has become is on disk too, until
// [Store.Detach]. An attachment that is left of an earlier run is detached
// first.
//
// After an error nothing is left.
func (s *Store) Attach(ctx context.Context, r Request) (Attachment, error) {
	if err := r.check(); err != nil {
		return Attachment{}, err
	}
	ns, err := openNamespace(r.Namespace)
	if err != nil {
		return Attachment{}, err
	}
	defer ns.close()
	own, err := s.lockContainer(r.Container)
	if err != nil {
		return Attachment{}, err
	}
	defer own.Remove()
	if err := s.detach(ctx, r.Container, own); err != nil {
		return Attachment{}, err
	}
	a, err := s.reserve(r, ns)
	if err != nil {
		return Attachment{}, fmt.Errorf("attaching container %s: %w", short(r.Container), err)
	}
	err = s.onGround(ctx, func() error { return s.join(ctx, &a, ns, own) })
	if err == nil {
		err = s.forward(nil, a.Ports)
	}
	if err == nil {
		err = s.announce(&a, r.Files)
	}
	if err != nil {
		return Attachment{}, s.undo(a, own, err)
	}
	return a, nil
}

// short is an ID as people see it.
func short(id string) string { return id[:min(len(id), 12)] }

// lockContainer has the network of one container to itself, until it removes
// the lock. Programs that a killed process started, and that still run, have it
// too.
func (s *Store) lockContainer(container string) (*statefile.Lock, error) {
	return statefile.Acquire(s.path("attachments", container+".lock"))
}

// undo detaches after a failure. What cannot be undone now stays on disk, for
// the next Detach.
func (s *Store) undo(a Attachment, own *statefile.Lock, err error) error {
	err = fmt.Errorf("attaching container %s: %w", short(a.Container), err)
	undone := s.detach(context.Background(), a.Container, own)
	if undone == nil {
		undone = s.leaveGround()
	}
	if undone != nil {
		err = fmt.Errorf("%w (and %w)", err, undone)
	}
	return err
}

func (r Request) check() error {
	if err := checkName("container", r.Container); err != nil {
		return err
	}
	if err := checkHosts(r.Names); err != nil {
		return fmt.Errorf("container %s: %w", r.Container, err)
	}
	seen := map[string]bool{}
	for _, j := range r.Networks {
		if err := j.check(); err != nil {
			return fmt.Errorf("container %s: %w", r.Container, err)
		}
		if seen[j.Network] {
			return fmt.Errorf("container %s: network %s is named twice", r.Container, j.Network)
		}
		seen[j.Network] = true
	}
	if r.Files != nil {
		return absolute(r.Files.Dir)
	}
	return nil
}

func (j Join) check() error {
	return errors.Join(checkName("network", j.Network), checkHosts(j.Aliases), checkMAC(j.MAC))
}

// reserve checks everything that can be known before, and writes down what is
// to be: from then on the networks stay, and the ports are taken.
func (s *Store) reserve(r Request, ns *namespace) (Attachment, error) {
	a := Attachment{Container: r.Container, Names: r.Names, Path: r.Namespace}
	own, err := ns.own()
	if err == nil && own {
		err = errors.New("the network namespace is the host's")
	}
	if err != nil {
		return a, err
	}
	if a.Namespace, err = ns.identity(); err != nil {
		return a, err
	}
	if r.Files != nil {
		a.Hosts = r.Files.HostsPath()
	}
	l, err := s.lock()
	if err != nil {
		return a, err
	}
	defer l.Release()
	if !ownsNetwork() {
		err = allowed(r.Ports)
	}
	if err == nil {
		a.Ports, err = s.freePorts(r.Ports)
	}
	if err != nil {
		return a, err
	}
	for i, j := range r.Networks {
		joined, err := s.prepare(j, a.published(i))
		if err != nil {
			return a, err
		}
		joined.Interface = fmt.Sprintf("eth%d", i)
		a.Networks = append(a.Networks, joined)
	}
	return a, s.write(a)
}

func (s *Store) freePorts(wanted []Port) ([]Port, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	others, err := s.attachments()
	if err != nil {
		return nil, err
	}
	var taken []Port
	for _, other := range others {
		taken = append(taken, other.Ports...)
	}
	return choosePorts(wanted, taken)
}

// prepare is a place in a network that is to be taken; the default network is
// made for the first who wants it.
func (s *Store) prepare(j Join, ports []Port) (Joined, error) {
	n, err := s.read(j.Network)
	if errors.Is(err, ErrNotExist) && j.Network == DefaultName {
		n, err = s.create(CreateOptions{Name: DefaultName})
	}
	if err != nil {
		return Joined{}, err
	}
	if err := s.able(n, ports); err != nil {
		return Joined{}, fmt.Errorf("network %s: %w", n.Name, err)
	}
	if err := n.checkWanted(j.Addresses); err != nil {
		return Joined{}, err
	}
	list, err := s.listFor(n, ports)
	return Joined{Network: n.Name, Aliases: j.Aliases, List: list, Wants: wants{j.Addresses, j.hardware().String()}}, err
}

// hardware is the hardware address that is wanted. That of a fixed address is made of
// it: others know it still when the container comes again.
// Compat(moby): the same.
func (j Join) hardware() net.HardwareAddr {
	if len(j.MAC) > 0 {
		return j.MAC
	}
	for _, addr := range j.Addresses {
		if addr.Is4() {
			ip := addr.As4()
			return append(net.HardwareAddr{0x02, 0x42}, ip[:]...)
		}
	}
	return nil
}

// able says what the machine lacks for a network.
func (s *Store) able(n Network, ports []Port) error {
	programs := []string{"bridge", "host-local"}
	if len(ports) > 0 {
		programs = append(programs, "portmap")
		if n.Internal {
			return errors.New("it is internal: no port can be published")
		}
	}
	for _, f := range families(n) {
		if err := f.need(); err != nil {
			return err
		}
	}
	return s.cni.need(programs...)
}

// checkWanted says what is wrong with the addresses that a container wants.
func (n Network) checkWanted(wanted []netip.Addr) error {
	for _, addr := range wanted {
		i := slices.IndexFunc(n.Subnets, func(s Subnet) bool { return s.Prefix.Contains(addr) })
		if i < 0 {
			return fmt.Errorf("network %s: address %s is in none of its subnets", n.Name, addr)
		}
		if addr == n.Subnets[i].Gateway || addr == n.Subnets[i].Prefix.Addr() {
			return fmt.Errorf("network %s: address %s is the network's own", n.Name, addr)
		}
	}
	return nil
}

// join runs the plugins of each network.
func (s *Store) join(ctx context.Context, a *Attachment, ns *namespace, own *statefile.Lock) error {
	if err := ns.loopback(); err != nil {
		return err
	}
	for i := range a.Networks {
		if err := s.joinOne(ctx, a, i, ns, own); err != nil {
			return fmt.Errorf("network %s: %w", a.Networks[i].Network, err)
		}
	}
	if len(a.Networks) < 2 {
		return nil // the plugin has made its way out
	}
	return s.route(*a, ns)
}

// joinOne runs the plugins of the n-th network.
func (s *Store) joinOne(ctx context.Context, a *Attachment, n int, ns *namespace, own *statefile.Lock) error {
	j := &a.Networks[n]
	if err := s.ensureRules(j.Network); err != nil {
		return err
	}
	result, err := add(ctx, s.cni.holding(own), j.List, a.runtime(*j, ns.path(), a.published(n)))
	if err == nil {
		j.take(result)
	}
	return err
}

// ensureRules makes a network's rules where they are missing, and mends its device. Only then it has
// to wait for others.
func (s *Store) ensureRules(network string) error {
	n, err := s.read(network)
	if err == nil {
		err = mendBridge(n.Bridge)
	}
	if err != nil || hasRules(n) {
		return err
	}
	l, err := s.lock()
	if err != nil {
		return err
	}
	defer l.Release()
	return setRules(n)
}

// take notes what the plugins say of the container's end.
func (j *Joined) take(result *types100.Result) {
	for _, ip := range result.IPs {
		addr, ok := netip.AddrFromSlice(ip.Address.IP)
		if !ok {
			continue
		}
		ones, _ := ip.Address.Mask.Size()
		j.Addresses = append(j.Addresses, netip.PrefixFrom(addr.Unmap(), ones))
		if gateway, ok := netip.AddrFromSlice(ip.Gateway); ok {
			j.Gateways = append(j.Gateways, gateway.Unmap())
		}
	}
	for _, i := range result.Interfaces {
		if i.Sandbox != "" && i.Name == j.Interface {
			j.MAC = i.Mac
		}
	}
}

// announce writes the attachment with what it has become, and the names: into new
// files, or into those that are there.
func (s *Store) announce(a *Attachment, files *Files) error {
	l, err := s.lock()
	if err != nil {
		return err
	}
	defer l.Release()
	a.Ready = true
	if err := s.write(*a); err != nil {
		return err
	}
	all, err := s.attachments()
	if err != nil {
		return err
	}
	if files != nil {
		err = files.write(reached{final: true, gateway: a.gateway(), dns: groundDNS(), lines: hostLines(*a, all)})
	} else {
		err = a.updateOwn(all)
	}
	if err != nil {
		return err
	}
	return updateNeighbours(*a, all)
}

// gateway is the host as the container reaches it.
func (a Attachment) gateway() (none netip.Addr) {
	for _, j := range a.Networks {
		if len(j.Gateways) > 0 {
			return j.Gateways[0]
		}
	}
	return none
}

// Detach undoes Attach and AttachUser, whole or half, after a crash and after
// the container is gone. A container without a network is fine. What fails stays
// on disk, and can be detached again.
func (s *Store) Detach(ctx context.Context, container string) error {
	if err := checkName("container", container); err != nil {
		return err
	}
	own, err := s.lockContainer(container)
	if err != nil {
		return err
	}
	defer own.Remove()
	if err := s.detach(ctx, container, own); err != nil {
		return err
	}
	return s.leaveGround()
}

// detach is Detach of one who has locked the container.
func (s *Store) detach(ctx context.Context, container string, own *statefile.Lock) error {
	a, err := s.Attachment(container)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.leave(ctx, a, own); err != nil {
		return fmt.Errorf("detaching container %s: %w", short(container), err)
	}
	l, err := s.lock()
	if err != nil {
		return err
	}
	defer l.Release()
	all, err := s.attachments()
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(all, func(o Attachment) bool { return o.Container == container })
	names := updateNeighbours(a, others)
	return errors.Join(s.erase(a), names)
}

// leave runs the plugins, the last network first.
func (s *Store) leave(ctx context.Context, a Attachment, own *statefile.Lock) error {
	if a.User != nil {
		if err := s.endUser(a); err != nil {
			return err
		}
	}
	if len(a.Networks) == 0 {
		return nil
	}
	errs := []error{s.forward(a.Ports, nil)}
	errs = append(errs, s.undoOnGround(func() error { return s.leaveNetworks(ctx, a, own) }))
	return errors.Join(errs...)
}

// leaveNetworks runs the plugins, where the networks are.
func (s *Store) leaveNetworks(ctx context.Context, a Attachment, own *statefile.Lock) error {
	ns := a.open()
	path := ""
	if ns != nil {
		defer ns.close()
		path = ns.path()
	}
	var errs []error
	for i, j := range slices.Backward(a.Networks) {
		if err := del(ctx, s.cni.holding(own), j.List, a.runtime(j, path, a.published(i))); err != nil {
			errs = append(errs, fmt.Errorf("network %s: %w", j.Network, err))
		}
	}
	return errors.Join(errs...)
}

// open opens the container's namespace, if it is there. Its path may by now
// name another one: of a process that has the same number.
func (a Attachment) open() *namespace {
	ns, err := openNamespace(a.Path)
	if err != nil {
		return nil
	}
	own, err1 := ns.own()
	id, err2 := ns.identity()
	if err1 != nil || err2 != nil || own || id != a.Namespace {
		ns.close()
		return nil
	}
	return ns
}
