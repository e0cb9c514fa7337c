package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/libcontainer/cgroup"
	"github.com/davit-containers/davit/libcontainer/criu"
)

// native is libcontainer in this process.
type native struct{ runtime libcontainer.Runtime }

func newNative(o *Options, namespace string, warn func(string)) *native {
	root := o.Root
	if root == "" {
		root = DefaultRoot
	}
	n := &native{libcontainer.Runtime{Root: filepath.Join(root, namespace), Filters: o.Filters, Warn: warn}}
	if o.Systemd {
		n.runtime.Cgroups = libcontainer.Systemd
	}
	return n
}

func (n *native) traced(t Trace) maker {
	n = &native{n.runtime}
	n.runtime.HookEnv = t
	return n
}

// create leaves the container waiting for any process to start it: this one
// may not be there any more.
func (n *native) create(c *Create, o outlets) (born, error) {
	bundle, err := libcontainer.LoadBundle(c.Bundle, "")
	if err != nil {
		return born{}, err
	}
	if terminal := bundle.Spec.Process != nil && bundle.Spec.Process.Terminal; terminal != (o.console != nil) {
		return born{}, refuse(InvalidArgument, "process.terminal is %v in config.json, and %v in the request: invalid argument", terminal, o.console != nil)
	}
	container, err := n.runtime.Create(c.ID, bundle, libcontainer.CreateOptions{
		Stdio: o.stdio, Console: o.console, PidFile: o.pidFile,
		NoPivot: c.Options.NoPivot, NoNewKeyring: c.Options.NoNewKeyring, StartLater: true,
	})
	if err != nil {
		return born{}, err
	}
	defer container.Close()
	return bear(container.Pid(), container.Pidfd())
}

func (n *native) restore(c *Create, o outlets) (born, error) {
	bundle, err := libcontainer.LoadBundle(c.Bundle, "")
	if err != nil {
		return born{}, err
	}
	container, err := n.runtime.Restore(c.ID, bundle, libcontainer.RestoreOptions{
		ImageOptions: libcontainer.ImageOptions{Images: c.Checkpoint, Work: c.criuWork()},
		Stdio:        o.stdio, Console: o.console, PidFile: o.pidFile,
	})
	if err != nil {
		return born{}, err
	}
	defer container.Close()
	return bear(container.Pid(), container.Pidfd())
}

// criuWork is the directory for criu's log.
func (c *Create) criuWork() string {
	if c.Options.CriuWork != "" {
		return c.Options.CriuWork
	}
	return filepath.Join(c.Bundle, "work")
}

// bear takes a process over from whoever holds its pidfd.
func bear(pid int, pidfd *os.File) (born, error) {
	fd, err := unix.FcntlInt(pidfd.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return born{}, fmt.Errorf("keeping a pidfd: %w", err)
	}
	return born{pid, os.NewFile(uintptr(fd), "pidfd")}, nil
}

// with does something with a container.
func (n *native) with(id string, do func(*libcontainer.Container) error) error {
	c, err := n.runtime.Load(id)
	if err != nil {
		return err
	}
	defer c.Close()
	return do(c)
}

func (n *native) start(id string) error {
	return n.with(id, (*libcontainer.Container).Start)
}

func (n *native) exec(id string, p *specs.Process, o outlets) (b born, err error) {
	err = n.with(id, func(c *libcontainer.Container) error {
		process, err := c.Exec(libcontainer.ExecOptions{Process: p, Stdio: o.stdio, Console: o.console, PidFile: o.pidFile})
		if err == nil {
			defer process.Close()
			b, err = bear(process.Pid(), process.Pidfd())
		}
		return err
	})
	return b, err
}

func (n *native) kill(id string, sig unix.Signal, all bool) error {
	return n.with(id, func(c *libcontainer.Container) error {
		err := error(nil)
		if all {
			err = c.SignalAll(sig)
		} else {
			err = c.Signal(sig)
		}
		if errors.Is(err, libcontainer.ErrNotRunning) {
			return refuse(NotFound, "process already finished: not found")
		}
		return err
	})
}

func (n *native) pause(id string) error {
	return n.with(id, (*libcontainer.Container).Pause)
}

func (n *native) resume(id string) error {
	return n.with(id, (*libcontainer.Container).Resume)
}

func (n *native) update(id string, r *specs.LinuxResources) error {
	return n.with(id, func(c *libcontainer.Container) error {
		return c.Update(libcontainer.Update{Resources: r})
	})
}

func (n *native) checkpoint(id string, o CheckpointOptions) error {
	for _, name := range o.EmptyNamespaces {
		// libcontainer always leaves the network to whoever restores.
		// Compat(runc): no other namespace can be empty.
		if name != "network" {
			return refuse(InvalidArgument, "namespace %q is not supported: invalid argument", name)
		}
	}
	mode, err := criu.ParseCgroupMode(o.CgroupsMode)
	if err != nil {
		return err
	}
	return n.with(id, func(c *libcontainer.Container) error {
		return c.Checkpoint(libcontainer.CheckpointOptions{
			ImageOptions: libcontainer.ImageOptions{
				Images: o.Image, Work: o.Work, TCPEstablished: o.TCP, ExtUnixSockets: o.ExtUnixSockets,
				ShellJob: o.Terminal, FileLocks: o.FileLocks, Cgroups: mode,
			},
			Parent: o.Parent, LeaveRunning: !o.Exit,
		})
	})
}

func (n *native) remove(id string) error { return n.runtime.ForceRemove(id) }

func (n *native) pids(id string) (pids []int, err error) {
	err = n.with(id, func(c *libcontainer.Container) error {
		pids, err = c.Processes()
		return err
	})
	return pids, err
}

func (n *native) stats(id string) (s *libcontainer.Stats, err error) {
	err = n.with(id, func(c *libcontainer.Container) error {
		s, err = c.Stats()
		return err
	})
	return s, err
}

func (n *native) watchOOM(id string) (w *cgroup.OOMWatch, err error) {
	err = n.with(id, func(c *libcontainer.Container) error {
		w, err = c.WatchOOM()
		return err
	})
	return w, err
}

func (n *native) oom(id string) (kills uint64, level string, err error) {
	err = n.with(id, func(c *libcontainer.Container) error {
		kills, level, err = c.OOM()
		return err
	})
	return kills, level, err
}
