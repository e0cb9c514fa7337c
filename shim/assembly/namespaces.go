package assembly

import (
	"fmt"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/bundle/config"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/links"
	"github.com/davit-containers/davit/shim/network"
	"github.com/davit-containers/davit/shim/options"
)

// hostname is the container's: the flag's, that of the machine or the container
// whose network it shares, or its short ID.
func (b *building) hostname() error {
	c, o := b.record(), &b.Options.Options
	if mode := c.Network.Mode; mode.Kind == network.Container {
		other, err := b.Containers.Find(mode.Name)
		if err != nil {
			return err
		}
		c.Hostname = other.Config.Hostname
	}
	uts := o.Namespaces[specs.UTSNamespace]
	if uts.Host && c.Hostname == "" {
		name, err := os.Hostname()
		if err != nil {
			return err
		}
		c.Hostname = name
	}
	c.Hostname = links.Hostname(c)
	if !uts.Host && uts.Path == "" {
		o.Hostname = c.Hostname
	}
	return nil
}

// join has the container join the namespaces of others. Where they are is written
// at each start.
func (w *Wanted) join() error {
	for kind, ref := range w.Options.Joined {
		other, err := w.Containers.Find(ref)
		if err != nil {
			return err
		}
		host, err := hosts(other, kind)
		if err != nil {
			return err
		}
		if host {
			w.Options.Namespaces[kind] = config.Namespace{Host: true}
			continue
		}
		if kind == specs.IPCNamespace {
			if other.Config.IPC != options.Shareable {
				return fmt.Errorf("cannot join IPC of container %s: non-shareable IPC (hint: use --ipc shareable for the donor container)", ref) // Compat(moby)
			}
			addShm(&w.Options.Options, shmDir(other))
		}
		if w.Config.Joined == nil {
			w.Config.Joined = map[string]string{}
		}
		w.Config.Joined[string(kind)] = other.Config.ID
		w.Options.Namespaces[kind] = config.Namespace{Path: notYet + namespaceFiles[string(kind)]}
	}
	return nil
}

// notYet is the path of a namespace until the container is started: no process
// has this number.
const notYet = "/proc/0/ns/"

// hosts tells whether a container has the host's namespace of a kind.
func hosts(other *container.Container, kind specs.LinuxNamespaceType) (bool, error) {
	spec, err := readSpec(other)
	if err != nil {
		return false, err
	}
	for _, ns := range spec.Linux.Namespaces {
		if ns.Type == kind {
			return false, nil
		}
	}
	return true, nil
}

// namespaceFiles are the names in /proc/PID/ns.
var namespaceFiles = map[string]string{
	string(specs.PIDNamespace): "pid", string(specs.IPCNamespace): "ipc",
}

// joinNow writes into the configuration where the namespaces are that are joined:
// those of containers that run.
func joinNow(c *container.Container) error {
	if len(c.Config.Joined) == 0 {
		return nil
	}
	spec, err := readSpec(c)
	if err != nil {
		return err
	}
	for i := range spec.Linux.Namespaces {
		ns := &spec.Linux.Namespaces[i]
		id := c.Config.Joined[string(ns.Type)]
		if id == "" {
			continue
		}
		pid, err := pidOf(c.Store(), id)
		if err != nil {
			return fmt.Errorf("joining the %s namespace: %w", ns.Type, err)
		}
		ns.Path = fmt.Sprintf("/proc/%d/ns/%s", pid, namespaceFiles[string(ns.Type)])
	}
	return writeSpec(c, spec)
}

// pidOf is the first process of a container that runs.
// Compat(moby): its words.
func pidOf(s *container.Store, id string) (int, error) {
	other, err := s.Find(id)
	if err != nil {
		return 0, err
	}
	state, err := other.State()
	if err != nil {
		return 0, err
	}
	if state.Status != container.Running && state.Status != container.Paused {
		return 0, fmt.Errorf("container %s is not running", id)
	}
	return state.Pid, nil
}
