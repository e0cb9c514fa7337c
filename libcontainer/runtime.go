package libcontainer

import (
	"fmt"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer/cgroup"
	"github.com/davit-containers/davit/libcontainer/host"
	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/plan"
	"github.com/davit-containers/davit/libcontainer/seccomp"
	"github.com/davit-containers/davit/libcontainer/spec"
	"github.com/davit-containers/davit/libcontainer/state"
	"github.com/davit-containers/davit/libcontainer/trace"
)

// CgroupDriver says who manages the containers' cgroups.
type CgroupDriver = cgroup.Driver

// The drivers.
const (
	Cgroupfs       = cgroup.Cgroupfs
	Systemd        = cgroup.Systemd
	CgroupDisabled = cgroup.Disabled
)

// Rootless says whether missing rights on cgroups are to be expected.
type Rootless int

// The ways to say it; auto means yes unless davit runs as the root of the machine.
const (
	RootlessAuto Rootless = iota
	RootlessYes
	RootlessNo
)

// Runtime is a directory of containers and the way they are made.
type Runtime struct {
	Root     string           // the state directory, absolute
	Filters  string           // where compiled seccomp filters are kept, absolute; "" is in Root
	Cgroups  CgroupDriver     // "" is cgroupfs
	Rootless Rootless         //
	Warn     func(msg string) // is told, in one line, what goes on although it is not as asked; may be nil
	Debug    func(msg string) // is told what may help to understand what happens; may be nil
	Trace    *trace.Recorder  // records how long everything takes; may be nil
	HookEnv  []string         // variables that hooks get besides their own, unless these have them
}

// CreateOptions are what a caller says beyond the bundle. Paths are the host's.
type CreateOptions struct {
	Stdio         [3]*os.File                 // the program's standard streams where it has no terminal; nil is closed
	ConsoleSocket string                      // is sent the terminal's master
	Console       func(master *os.File) error // is given the terminal's master where there is no ConsoleSocket
	PidFile       string                      // is written the pid
	PidfdSocket   string                      // is sent a pidfd
	NoPivot       bool                        // use chroot(2) instead of pivot_root(2)
	NoNewKeyring  bool                        // keep the session keyring
	PreserveFDs   int                         // descriptors passed on, after those of ListenFDs
	ListenFDs     int                         // descriptors of systemd's socket activation, from 3 on
	NotifySocket  string                      // a socket that is to appear as NOTIFY_SOCKET inside; its directory is made
	StartLater    bool                        // another process will start the container: it waits on a socket
}

// SlowWatcher is for a program that lives for milliseconds: Go's own thread that
// watches its scheduler then takes less of a processor, until the program ends.
// No process that this package starts is affected.
func SlowWatcher() { sys.SlowWatcher() }

func (r *Runtime) warn(msg string) {
	if r.Warn != nil {
		r.Warn(msg)
	}
}

func (r *Runtime) debugf(format string, args ...any) {
	if r.Debug != nil {
		r.Debug(fmt.Sprintf(format, args...))
	}
}

// rootless tells whether rights on cgroups may be missing. The root of a user
// namespace has them where his systemd belongs to root.
func (r *Runtime) rootless() bool {
	switch {
	case r.Rootless != RootlessAuto:
		return r.Rootless == RootlessYes
	case os.Geteuid() != 0:
		return true
	case !host.InUserNS():
		return false
	}
	return r.Cgroups != Systemd || cgroup.UserSystemd()
}

// IDs lists the containers, sorted, half-made ones included. A root that does
// not exist is an error that Is fs.ErrNotExist.
func (r *Runtime) IDs() ([]string, error) { return state.List(r.Root) }

// Plan gives what Create would do, without doing anything.
func (r *Runtime) Plan(id string, b *Bundle, o CreateOptions) (*plan.Plan, error) {
	c, err := r.prepare(id, b, o)
	if err != nil {
		return nil, err
	}
	return c.plan, nil
}

// prepare decides all that can be decided before anything is made.
func (r *Runtime) prepare(id string, b *Bundle, o CreateOptions) (*creation, error) {
	if err := r.checkNew(id); err != nil {
		return nil, err
	}
	if b.Spec.Process == nil && !o.StartLater {
		return nil, spec.ValidateProcess(nil)
	}
	c := newCreation(r, id, b, o)
	err := inOrder(r.Trace, c, []phase[*creation]{
		{"finding the root file system", (*creation).findRootfs},
		{"adding the notify socket", (*creation).addNotifySocket},
		{"adding systemd's sockets", (*creation).addListenFDs},
		{"choosing the cgroup", (*creation).chooseCgroup},
		{"compiling the seccomp filter", (*creation).chooseFilter},
		{"compiling the plan", (*creation).compilePlan},
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// checkNew refuses an id that is none, or is taken, and a kernel that cannot do
// what every container needs.
func (r *Runtime) checkNew(id string) error {
	if err := host.CheckKernel(); err != nil {
		return err
	}
	if err := state.CheckID(id); err != nil {
		return err
	}
	if exists(r.Root + "/" + id) {
		return fmt.Errorf("claiming the id %s: %w", id, ErrExist)
	}
	return nil
}

func newCreation(r *Runtime, id string, b *Bundle, o CreateOptions) *creation {
	c := &creation{id: id, bundle: b, options: o, making: making{
		runtime: r, doing: "creating the container",
		outlets: outlets{o.Stdio, o.ListenFDs + o.PreserveFDs, o.ConsoleSocket, o.Console, o.PidfdSocket},
	}}
	c.maker = c
	return c
}

func (c *creation) findRootfs() (err error) {
	c.rootfs, err = c.bundle.rootfs()
	return err
}

func (c *creation) chooseCgroup() (err error) {
	c.cgroup, err = cgroup.New(cgroup.Options{
		ID: c.id, Driver: c.runtime.Cgroups, Rootless: c.runtime.rootless(), Spec: c.bundle.Spec,
	})
	if err == nil {
		c.join = planJoin(c.cgroup.Joins())
	}
	return err
}

// cacheDir is where compiled filters are kept; no container's id begins with a dot.
func (r *Runtime) cacheDir() string {
	if r.Filters != "" {
		return r.Filters
	}
	return r.Root + "/.seccomp"
}

func (c *creation) chooseFilter() error { return c.compileFilter(c.bundle.Spec) }

func (c *creation) compilePlan() error {
	facts, err := c.bundle.facts(&c.options)
	if err != nil {
		return err
	}
	c.plan, err = plan.Compile(c.bundle.Spec, facts, plan.Options{
		ID: c.id, Bundle: c.bundle.Path, Rootfs: c.rootfs,
		NoPivot: c.options.NoPivot, NoNewKeyring: c.options.NoNewKeyring,
		PreserveFDs: c.outlets.preserve, WaitForStart: c.options.StartLater,
		Join: c.join, Entrances: planEntrances(c.cgroup.Entrances()),
		CgroupPaths: c.cgroup.Places(), Seccomp: planFilter(c.filter),
		HookEnv: c.runtime.HookEnv, Clock: c.runtime.Trace != nil,
	})
	return err
}

func planJoin(j cgroup.Join) plan.Join {
	switch j {
	case cgroup.JoinByClone:
		return plan.JoinClone
	case cgroup.JoinByAttach:
		return plan.JoinAttach
	case cgroup.JoinBySelf:
		return plan.JoinSelf
	default:
		return plan.JoinNone
	}
}

func planEntrances(list []cgroup.Entrance) []plan.Entrance {
	entrances := make([]plan.Entrance, len(list))
	for i, e := range list {
		entrances[i] = plan.Entrance(e)
	}
	return entrances
}

func planFilter(f seccomp.Filter) plan.Filter {
	return plan.Filter{Program: f.Program, Flags: f.Flags, Notify: f.Notify}
}

// hooks gives the configuration's hooks, none where there are none.
func hooks(s *specs.Spec) specs.Hooks {
	if s == nil || s.Hooks == nil {
		return specs.Hooks{}
	}
	return *s.Hooks
}
