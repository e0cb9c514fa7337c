package links

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/bundle/config"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/internal/statefile"
	"github.com/davit-containers/davit/shim/network"
)

// Networks opens the networks of the store at root.
func Networks(root string) (*network.Store, error) {
	return network.Open(filepath.Join(root, "networks"), network.Options{})
}

// notYet stands in config.json for the namespace of another container, until
// Before knows it: no process has this number.
const notYet = "/proc/0/ns/net"

// Namespace is a container's network namespace for config.json; own tells that
// it gets one of its own, which nothing needs to be said of.
func Namespace(n container.Network) (ns config.Namespace, own bool) {
	switch n.Mode.Kind {
	case network.Host:
		return config.Namespace{Host: true}, false
	case network.Container:
		return config.Namespace{Path: notYet}, false
	}
	return config.Namespace{}, true
}

// Hostname is what a container calls itself: as it was told, like the host where
// it has the host's network, or the beginning of its ID.
// Compat(moby).
func Hostname(c *container.Config) string {
	if c.Hostname != "" {
		return c.Hostname
	}
	if name, err := os.Hostname(); c.Network.Mode.Kind == network.Host && err == nil {
		return name
	}
	const length = 12
	return c.ID[:length]
}

// files are the container's hosts, hostname and resolv.conf.
func files(c *container.Container) network.Files {
	n := c.Config.Network
	return network.Files{
		Dir: c.Network(), Kind: n.Mode.Kind, Hostname: Hostname(&c.Config), Domain: c.Config.Domainname, DNS: n.DNS, Hosts: n.Hosts,
	}
}

// Before makes what has to be there before the runtime makes the container's
// namespaces, at each start. The file that it returns, or nil, is the network
// namespace of another container, to be closed after that.
func Before(c *container.Container) (*os.File, error) {
	if c.Config.Network.Mode.Kind != network.Container {
		return nil, files(c).Write()
	}
	ns, err := openOther(c)
	if err != nil {
		return nil, fmt.Errorf("joining the network of container %s: %w", c.Config.Network.Mode.Name, err)
	}
	path := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), ns.Fd())
	if err := setNamespace(filepath.Join(c.Bundle(), "config.json"), path); err != nil {
		ns.Close()
		return nil, err
	}
	return ns, nil
}

// Resolve puts the ID into a network that is that of another container, whose
// name may change.
func Resolve(s *container.Store, n *container.Network) error {
	if n.Mode.Kind != network.Container {
		return nil
	}
	other, err := s.Find(n.Mode.Name)
	if err == nil {
		n.Mode.Name = other.Config.ID
	}
	return err
}

// openOther opens the network namespace of the container whose network c has. A
// number may be another process's by the time that its namespace is open; so it is
// looked up again.
func openOther(c *container.Container) (*os.File, error) {
	other, err := c.Store().Find(c.Config.Network.Mode.Name)
	if err != nil {
		return nil, err
	}
	before, err := other.State()
	if err != nil {
		return nil, err
	}
	if before.Status != container.Running && before.Status != container.Paused || before.Pid == 0 {
		return nil, errors.New("it is not running")
	}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", before.Pid))
	if err != nil {
		return nil, err
	}
	if now, err := other.State(); err != nil || now.Pid != before.Pid {
		ns.Close()
		return nil, errors.Join(errors.New("it has ended"), err)
	}
	return ns, nil
}

// setNamespace writes the path of the network namespace into a config.json.
func setNamespace(file, path string) error {
	var spec specs.Spec
	if err := statefile.ReadJSON(file, &spec); err != nil {
		return err
	}
	if spec.Linux == nil {
		return fmt.Errorf("reading %s: it has no namespaces", file)
	}
	at := slices.IndexFunc(spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.NetworkNamespace })
	if at < 0 {
		return fmt.Errorf("reading %s: it has no network namespace", file)
	}
	spec.Linux.Namespaces[at].Path = path
	return statefile.WriteJSON(file, spec)
}

// Attach connects a container that has been created, and does not run yet, whose
// first process is pid. After an error nothing is left of it.
func Attach(ctx context.Context, c *container.Container, pid int) error {
	n := c.Config.Network
	if n.Mode.Kind != network.Named && n.Mode.Kind != network.User {
		return nil
	}
	s, err := Networks(c.Store().Root())
	if err != nil {
		return err
	}
	f, namespace := files(c), fmt.Sprintf("/proc/%d/ns/net", pid)
	if n.Mode.Kind == network.Named {
		r := request(c)
		r.Namespace, r.Files = namespace, &f
		if _, err := s.Attach(ctx, r); err != nil {
			return err
		}
		return settled(ctx, c) // somebody may have changed it meanwhile
	}
	users, err := otherUsers(pid)
	if err != nil {
		return err
	}
	_, err = s.AttachUser(ctx, network.UserRequest{
		Container: c.Config.ID, Namespace: namespace, UserNamespace: users, Program: n.Mode.Name, Ports: published(n), Files: &f,
	})
	return err
}

// namesOf are those by which others find a container, and it itself: its host
// name first, which is the canonical one.
func namesOf(c *container.Config) []string {
	const length = 12
	names := []string{Hostname(c), c.Name, c.ID[:length]}
	if c.Domainname != "" {
		names = append([]string{names[0] + "." + c.Domainname}, names...)
	}
	var once []string
	for _, n := range names {
		if !slices.Contains(once, n) {
			once = append(once, n)
		}
	}
	return once
}

// otherUsers is the user namespace of a process, or "" where it is our own.
func otherUsers(pid int) (string, error) {
	path := fmt.Sprintf("/proc/%d/ns/user", pid)
	theirs, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	own, err := os.Stat("/proc/self/ns/user")
	if err != nil || os.SameFile(own, theirs) {
		return "", err
	}
	return path, nil
}

// Detach undoes Attach, at the container's end or after a crash. What fails can be
// tried again.
func Detach(ctx context.Context, c *container.Container) error {
	if kind := c.Config.Network.Mode.Kind; kind != network.Named && kind != network.User {
		return nil
	}
	s, err := Networks(c.Store().Root())
	if err != nil {
		return err
	}
	return s.Detach(ctx, c.Config.ID)
}
