package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"github.com/davit-containers/davit/shim/internal/statefile"
)

// ErrNotAttached is that a container has no network of this store's at the moment.
var ErrNotAttached = errors.New("container is not attached")

// CheckJoin says why a place in a network cannot be taken, as far as that is known
// before.
func (s *Store) CheckJoin(j Join) error {
	if err := j.check(); err != nil {
		return err
	}
	n, err := s.read(j.Network)
	if errors.Is(err, ErrNotExist) && j.Network == DefaultName {
		return nil // which is made for the first who wants it
	}
	if err == nil {
		err = n.checkWanted(j.Addresses)
	}
	return err
}

// Connect gives a container that is attached, and may run, a place in one more
// network: r's. Its ports are published there if they are nowhere else. A container
// that is in the network already stays as it is.
//
// After an error the container is as it was. ErrNotAttached: there is nothing to
// connect.
func (s *Store) Connect(ctx context.Context, r Request) error {
	if err := r.check(); err != nil {
		return err
	}
	own, err := s.lockContainer(r.Container)
	if err != nil {
		return err
	}
	defer own.Remove()
	for _, j := range r.Networks {
		if err := s.connect(ctx, r, j, own); err != nil {
			return fmt.Errorf("connecting container %s to network %s: %w", r.Container, j.Network, err)
		}
	}
	return nil
}

// connect is Connect of one who has locked the container.
func (s *Store) connect(ctx context.Context, r Request, j Join, own *statefile.Lock) error {
	a, ns, err := s.attached(r.Container)
	if err != nil {
		return err
	}
	defer ns.close()
	if place := a.in(j.Network); place != nil && len(place.Addresses) > 0 {
		return nil
	} else if place != nil { // one who was killed had begun
		if a, err = s.disconnect(ctx, a, j.Network, own, Keep); err != nil {
			return err
		}
	}
	before := a.Ports
	if a, err = s.reservePlace(a, r.Ports, j); err != nil {
		return err
	}
	at := slices.IndexFunc(a.Networks, func(other Joined) bool { return other.Network == j.Network })
	err = s.onGround(ctx, func() error {
		if err := s.joinOne(ctx, &a, at, ns, own); err != nil {
			return err
		}
		return s.route(a, ns)
	})
	if err == nil {
		err = s.forward(before, a.Ports)
	}
	if err == nil {
		err = s.announce(&a, nil)
	}
	if err != nil {
		_, undone := s.disconnect(context.WithoutCancel(ctx), a, j.Network, own, Keep)
		return errors.Join(err, undone)
	}
	return nil
}

// attached is the attachment of a container that runs, with its namespace open.
func (s *Store) attached(container string) (Attachment, *namespace, error) {
	a, err := s.Attachment(container)
	if errors.Is(err, os.ErrNotExist) || err == nil && a.User != nil {
		return a, nil, ErrNotAttached
	}
	if err != nil {
		return a, nil, err
	}
	ns := a.open()
	if ns == nil {
		return a, nil, ErrNotAttached
	}
	return a, ns, nil
}

// reservePlace writes down the place that is to be taken. It is the first where it is
// to have the ports.
func (s *Store) reservePlace(a Attachment, ports []Port, j Join) (Attachment, error) {
	l, err := s.lock()
	if err != nil {
		return a, err
	}
	defer l.Release()
	n, err := s.read(j.Network)
	if err != nil && (!errors.Is(err, ErrNotExist) || j.Network != DefaultName) {
		return a, err
	}
	first := len(a.Ports) == 0 && len(ports) > 0 && !n.Internal
	var publish []Port
	if first {
		if publish, err = s.freePorts(ports); err != nil {
			return a, err
		}
		a.Ports = publish
	}
	joined, err := s.prepare(j, publish)
	if err != nil {
		return a, err
	}
	joined.Interface = a.freeInterface()
	if first {
		a.Networks = append([]Joined{joined}, a.Networks...)
	} else {
		a.Networks = append(slices.Clone(a.Networks), joined)
	}
	return a, s.write(a)
}

// freeInterface is a name for one more interface of the container.
func (a Attachment) freeInterface() string {
	for i := 0; ; i++ {
		name := fmt.Sprintf("eth%d", i)
		if !slices.ContainsFunc(a.Networks, func(j Joined) bool { return j.Interface == name }) {
			return name
		}
	}
}

// Force says what becomes of a place that the plugins cannot undo.
type Force bool

// The two.
const (
	Keep   Force = false // it stays, and can be left again
	Forget Force = true
)

// Disconnect takes a container that may run out of a network. Its ports are published
// in another one of its networks from then on, if they were in this one. A container
// that is not in it is fine.
func (s *Store) Disconnect(ctx context.Context, container, network string, force Force) error {
	if err := errors.Join(checkName("container", container), checkName("network", network)); err != nil {
		return err
	}
	own, err := s.lockContainer(container)
	if err != nil {
		return err
	}
	defer own.Remove()
	a, err := s.Attachment(container)
	if errors.Is(err, os.ErrNotExist) || err == nil && a.in(network) == nil {
		return nil
	}
	if err == nil {
		_, err = s.disconnect(ctx, a, network, own, force)
	}
	if err == nil {
		err = s.leaveGround()
	}
	if err != nil {
		return fmt.Errorf("disconnecting container %s from network %s: %w", container, network, err)
	}
	return nil
}

// disconnect is Disconnect of one who has locked the container, which is in the
// network.
func (s *Store) disconnect(ctx context.Context, a Attachment, network string, own *statefile.Lock, force Force) (Attachment, error) {
	ns, path := a.open(), ""
	if ns != nil {
		defer ns.close()
		path = ns.path()
	}
	at := slices.IndexFunc(a.Networks, func(j Joined) bool { return j.Network == network })
	j := a.Networks[at]
	err := s.undoOnGround(func() error {
		return del(ctx, s.cni.holding(own), j.List, a.runtime(j, path, a.published(at)))
	})
	if err != nil && force == Keep {
		return a, err
	}
	left, moved, err := s.without(a, at)
	if err == nil {
		err = s.forward(a.Ports, left.Ports)
	}
	if err != nil || ns == nil {
		return left, err
	}
	return left, s.undoOnGround(func() error {
		var err error
		if moved {
			err = s.publish(ctx, left, path, own)
		}
		return errors.Join(err, s.route(left, ns))
	})
}

// without writes the attachment without its n-th place, and the names without it;
// moved tells that another place is the first now, in which the ports are to be
// published.
func (s *Store) without(a Attachment, n int) (left Attachment, moved bool, err error) {
	l, err := s.lock()
	if err != nil {
		return a, false, err
	}
	defer l.Release()
	left = a
	left.Networks = slices.Delete(slices.Clone(a.Networks), n, n+1)
	if n == 0 && len(a.Ports) > 0 {
		if moved, err = s.choosePublisher(&left); err != nil {
			return a, false, err
		}
	}
	if err := s.write(left); err != nil {
		return a, false, err
	}
	all, err := s.attachments()
	if err != nil {
		return left, moved, err
	}
	return left, moved, errors.Join(left.updateOwn(all), updateNeighbours(a, all))
}

// choosePublisher makes a network the first that can publish the ports; without one
// they are given up.
func (s *Store) choosePublisher(a *Attachment) (found bool, err error) {
	for i, j := range a.Networks {
		n, err := s.read(j.Network)
		if err != nil || n.Internal {
			continue // another may do
		}
		if j.List, err = s.listFor(n, a.Ports); err != nil {
			return false, err
		}
		a.Networks = slices.Insert(slices.Delete(a.Networks, i, i+1), 0, j)
		return true, nil
	}
	a.Ports = nil
	return false, nil
}

// publish publishes the ports of a container that is in its first network already.
func (s *Store) publish(ctx context.Context, a Attachment, path string, own *statefile.Lock) error {
	j := a.Networks[0]
	n, err := s.read(j.Network)
	if err != nil {
		return err
	}
	ips := []object{}
	for _, p := range j.Addresses {
		ips = append(ips, object{"address": p, "interface": 0})
	}
	portmap := portmapPlugin()
	portmap["prevResult"] = object{
		"cniVersion": cniVersion, "interfaces": []object{{"name": j.Interface, "mac": j.MAC, "sandbox": path}}, "ips": ips,
	}
	list, err := encodeList(n, nil, portmap)
	if err != nil {
		return err
	}
	_, err = add(ctx, s.cni.holding(own), list, a.runtime(j, path, a.Ports))
	return err
}

// route gives a container its way out by the first of its networks that has one, and
// by no other of them: each plugin that made one thought itself the first.
func (s *Store) route(a Attachment, ns *namespace) error {
	var gateways []netip.Addr
	for _, j := range a.Networks {
		gateways = append(gateways, j.Gateways...)
	}
	for _, v4 := range []bool{true, false} {
		for _, j := range a.Networks {
			n, err := s.read(j.Network)
			gateway := slices.IndexFunc(j.Gateways, func(g netip.Addr) bool { return g.Is4() == v4 })
			if err != nil || n.Internal || gateway < 0 {
				continue
			}
			if err := ns.defaultRoute(j.Interface, j.Gateways[gateway], gateways); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// updateOwn writes the names that a container sees, under the lock.
func (a Attachment) updateOwn(all []Attachment) error {
	if a.Hosts == "" {
		return nil
	}
	return updateHosts(a.Hosts, hostLines(a, all))
}
