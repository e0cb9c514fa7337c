package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer/criu"
	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/netdev"
	"github.com/davit-containers/davit/libcontainer/spec"
	"github.com/davit-containers/davit/libcontainer/state"
)

// heed does what is to be done at an event of criu's.
func (r *restoration) heed(n criu.Notification) error {
	r.runtime.debugf("criu: %s", n.Event)
	switch n.Event {
	case criu.SetupNamespaces:
		return r.setupNamespaces(n.Pid)
	case criu.PTYMaster:
		if n.File == nil {
			return errors.New("talking to criu: a terminal came without its descriptor")
		}
		return r.passConsole(n.File)
	case criu.PostRestore:
		return r.takeOver(n.Pid)
	case criu.PreResume:
		return r.checkProcesses()
	}
	return nil
}

// setupNamespaces is the moment when the first process is in its namespaces and
// no other is there.
// Compat(runc): prestart and createRuntime hooks run here, and no others.
func (r *restoration) setupNamespaces(pid int) error {
	if err := r.own(pid); err != nil {
		return err
	}
	if err := r.raiseLoopback(pid); err != nil {
		return err
	}
	h := hooks(r.bundle.Spec)
	//lint:ignore SA1019 prestart is deprecated and still used by everyone
	if len(h.Prestart)+len(h.CreateRuntime) == 0 {
		return nil
	}
	if err := r.limit(); err != nil {
		return err
	}
	return r.runtimeHooks(pid)
}

// limit writes the limits, once. What hooks change in the cgroup stays.
func (r *restoration) limit() error {
	if r.unlimited {
		r.unlimited, r.limited = false, false
	}
	return r.limitNow()
}

// own holds on to the container's first process.
func (r *restoration) own(pid int) (err error) {
	if r.pidfd != nil {
		return nil
	}
	if r.pidfd, err = sys.PidfdOpen(pid); err != nil {
		return fmt.Errorf("opening the container's process: %w", err)
	}
	r.pid = pid
	return nil
}

// raiseLoopback makes connections within the container possible before there
// are any.
func (r *restoration) raiseLoopback(pid int) error {
	if path, has := spec.Namespace(r.bundle.Spec, specs.NetworkNamespace); !has || path != "" {
		return nil
	}
	ns, err := openNamespace("/proc/" + strconv.Itoa(pid) + "/ns/net")
	if err != nil {
		return err
	}
	defer ns.Close()
	return netdev.RaiseLoopback(ns)
}

// takeOver is the moment when all processes are there and none runs: they are
// limited and written down.
func (r *restoration) takeOver(pid int) error {
	if err := r.own(pid); err != nil {
		return err
	}
	if err := r.limit(); err != nil {
		return err
	}
	return r.saveRunning()
}

// saveRunning writes down that the container runs, and as which process.
func (r *restoration) saveRunning() error {
	start, err := sys.StartTime(r.pid)
	if err != nil {
		return fmt.Errorf("reading the start time of the container's process: %w", err)
	}
	s := r.state
	s.Phase, s.Pid, s.PidStart = state.Running, r.pid, start
	s.Descriptors = pipes(r.outlets.stdio)
	s.TimeNamespace = !sameNamespace(r.pid, "time")
	return r.dir.Save(s)
}

// sameNamespace tells whether a process shares a namespace with this one.
func sameNamespace(pid int, name string) bool {
	ours, err := os.Readlink("/proc/self/ns/" + name)
	if err != nil {
		return true // the kernel has no such namespaces
	}
	theirs, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/" + name)
	return err == nil && ours == theirs
}
