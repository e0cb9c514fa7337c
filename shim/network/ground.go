package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/internal/statefile"
)

// Where bridges cannot be made in the host's network, all networks of a store are on
// its ground: a network namespace that stands for the host, and which slirp4netns
// connects to the host's network. That process has the namespace open, too, so that it
// lasts, and is found again, by whoever comes next; it ends with the last container of
// these networks.

// groundName stands for the ground where others have a container's ID, and groundFD is
// slirp4netns's descriptor of it.
const (
	groundName = "ground"
	groundFD   = 4
)

// ownsNetwork tells whether this process may make bridges in the network that it is in:
// that belongs to its user namespace.
// Linux 4.9: NS_GET_USERNS.
var ownsNetwork = sync.OnceValue(func() bool {
	ns, err := openNamespace("/proc/self/ns/net")
	if err != nil {
		return privileged()
	}
	defer ns.close()
	fd, err := unix.IoctlRetInt(int(ns.f.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		return false // it belongs to one above
	}
	defer unix.Close(fd)
	var owner, own unix.Stat_t
	return unix.Fstat(fd, &owner) == nil && unix.Stat("/proc/self/ns/user", &own) == nil && owner.Ino == own.Ino
})

// onGround does something where the networks are, which begin there with it.
func (s *Store) onGround(ctx context.Context, do func() error) error {
	if ownsNetwork() {
		return do()
	}
	ns, err := s.ground(ctx)
	if err != nil {
		return err
	}
	defer ns.close()
	return inNamespace(ns, do)
}

// undoOnGround undoes something where the networks are. Where they are no more, what is
// left of them is in files, and any namespace will do.
func (s *Store) undoOnGround(do func() error) error {
	if ownsNetwork() {
		return do()
	}
	ns := s.standing()
	if ns == nil {
		var err error
		if ns, err = emptyNamespace(); err != nil {
			return err
		}
	}
	defer ns.close()
	return inNamespace(ns, do)
}

// inNamespace does something, and starts programs, in a network namespace.
func inNamespace(ns *namespace, do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this goroutine
		err := os.NewSyscallError("setns", unix.Setns(int(ns.f.Fd()), unix.CLONE_NEWNET))
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}

// emptyNamespace makes a network namespace, with nothing in it.
func emptyNamespace() (ns *namespace, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with this goroutine
		if err = os.NewSyscallError("unshare", unix.Unshare(unix.CLONE_NEWNET)); err == nil {
			ns, err = openNamespace("/proc/thread-self/ns/net")
		}
	}()
	<-done
	return ns, err
}

// ground opens the ground, or makes it. Two who begin at once get the same.
func (s *Store) ground(ctx context.Context) (*namespace, error) {
	l, err := s.lockGround()
	if err != nil {
		return nil, err
	}
	defer l.Release()
	if ns := s.standing(); ns != nil {
		return ns, nil
	}
	if err := s.endGround(); err != nil {
		return nil, err
	}
	return s.makeGround(ctx)
}

func (s *Store) lockGround() (*statefile.Lock, error) {
	return statefile.Acquire(s.mark(groundName) + ".lock")
}

// groundFile has the process of the ground.
func (s *Store) groundFile() string { return s.mark(groundName) + ".json" }

// standing is the ground, or nil. One that this process may not enter is of a user
// namespace that nobody enters any more, and is none.
func (s *Store) standing() *namespace {
	var p Process
	if statefile.ReadJSON(s.groundFile(), &p) != nil || startTime(p.PID) != p.Start {
		return nil
	}
	ns, err := openNamespace(fmt.Sprintf("/proc/%d/fd/%d", p.PID, groundFD))
	if err != nil {
		return nil
	}
	if startTime(p.PID) != p.Start {
		ns.close()
		return nil
	}
	return ns
}

// makeGround makes the ground, under its lock.
func (s *Store) makeGround(ctx context.Context) (*namespace, error) {
	path, err := lookPath(slirpName)
	if err != nil {
		return nil, fmt.Errorf("%s: %w in $PATH: it connects the networks of users other than root (install slirp4netns)", slirpName, exec.ErrNotFound)
	}
	ns, err := emptyNamespace()
	if err != nil {
		return nil, err
	}
	// Package netlink comes back from a namespace, which a user can only to his own.
	if err = inNamespace(ns, ns.loopback); err == nil {
		err = s.startGround(ctx, path, ns)
	}
	if err != nil {
		ns.close()
		return nil, err
	}
	return ns, nil
}

func (s *Store) startGround(ctx context.Context, slirp string, ns *namespace) error {
	pid, err := s.startSlirp(ctx, slirp, UserRequest{Container: groundName, Namespace: ns.path(), held: ns.f}, nil)
	if err != nil {
		return withoutTun(err)
	}
	if err := statefile.WriteJSON(s.groundFile(), Process{Program: slirpName, PID: pid, Start: startTime(pid)}); err != nil {
		return errors.Join(err, s.endGround())
	}
	return nil
}

// endGround ends what is there of the ground, also where it was not written down, under
// its lock.
func (s *Store) endGround() error {
	err := s.endUser(Attachment{Container: groundName, User: &Process{Program: slirpName}})
	if err == nil {
		err = os.Remove(s.groundFile())
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// leaveGround ends the ground when no container is on it any more.
func (s *Store) leaveGround() error {
	if ownsNetwork() {
		return nil
	}
	ground, err := s.lockGround()
	if err != nil {
		return err
	}
	defer ground.Release()
	all, err := s.Attachments()
	if err != nil || slices.ContainsFunc(all, func(a Attachment) bool { return len(a.Networks) > 0 }) {
		return err
	}
	if _, err := os.Lstat(s.groundFile()); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return s.endGround()
}

// groundDNS is what containers on the ground ask for names.
func groundDNS() []netip.Addr {
	if ownsNetwork() {
		return nil
	}
	return []netip.Addr{slirpDNS}
}

// forward has the host's ports lead to the ground, where they lead to a container: those
// that are wanted, and of those that were no others.
func (s *Store) forward(were, wanted []Port) error {
	if ownsNetwork() || len(were)+len(wanted) == 0 {
		return nil
	}
	ns := s.standing()
	if ns == nil {
		return nil // and with it all have gone
	}
	defer ns.close()
	socket := s.mark(groundName) + ".sock"
	for _, p := range were {
		if slices.Contains(wanted, p) {
			continue
		}
		if err := unpublishSlirp(socket, p); err != nil {
			return err
		}
	}
	for _, p := range wanted {
		if slices.Contains(were, p) {
			continue
		}
		if err := publishSlirp(socket, p, p.Host); err != nil {
			return err
		}
	}
	return nil
}
