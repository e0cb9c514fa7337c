package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/cgroup"
	"github.com/davit-containers/davit/libcontainer/intelrdt"
	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/plan"
	"github.com/davit-containers/davit/libcontainer/spec"
	"github.com/davit-containers/davit/libcontainer/state"
)

// creation is one container while it is made.
type creation struct {
	making
	id      string
	bundle  *Bundle
	options CreateOptions

	rootfs string
	dir    *state.Dir
	state  *state.State
	rdt    *intelrdt.Group
}

// Create makes the container of a bundle, up to the point where its program
// can be started. When it fails, nothing is left of the container.
// Spec: runtime.md#create
func (r *Runtime) Create(id string, b *Bundle, o CreateOptions) (*Container, error) {
	c, err := r.prepare(id, b, o)
	if err != nil {
		return nil, err
	}
	for _, w := range slices.Concat(spec.Warnings(b.Spec), c.plan.Warnings, c.cgroup.Warnings()) {
		r.warn(w)
	}
	container, err := c.run()
	c.clock.report(r.Trace)
	if err != nil {
		c.undo()
	}
	c.release()
	return container, err
}

// run is the order of events. State comes before what it describes, so that
// an end at any moment leaves what delete can find.
func (c *creation) run() (*Container, error) {
	err := inOrder(c.runtime.Trace, c, []phase[*creation]{
		{"claiming the id", (*creation).claim},
		{"making the notify socket's directory", (*creation).makeNotifyDir},
		{"making the cgroup", (*creation).makeCgroup},
		{"opening files for the stage", (*creation).openFiles},
		{"starting the stage", (*creation).startAnyhow},
		{"entering the cgroup", (*creation).enterCgroup},
		{"answering the stage", (*creation).converse},
		{"entering the resctrl group", (*creation).applyRdt},
		{"sending the pidfd", (*creation).sendPidfd},
		{"saving the state", (*creation).saveCreated},
	})
	if err != nil {
		return nil, err
	}
	return c.hand()
}

// claim takes the id and writes down what is going to be made.
func (c *creation) claim() error {
	saved, err := c.cgroup.Saved().MarshalJSON()
	if err != nil {
		return fmt.Errorf("encoding the cgroup's state: %w", err)
	}
	rdt, err := c.prepareRdt()
	if err != nil {
		return err
	}
	self := os.Getpid()
	start, err := sys.StartTime(self)
	if err != nil {
		return fmt.Errorf("reading the start time of this process: %w", err)
	}
	c.state = &state.State{
		OCIVersion: c.bundle.Spec.Version, ID: c.id, Phase: state.Creating,
		Bundle: c.bundle.Path, Rootfs: c.rootfs, Created: time.Now().UTC(), Owner: os.Geteuid(),
		Annotations: c.bundle.Spec.Annotations, CreatorPid: self, CreatorStart: start,
		NoNewKeyring: c.options.NoNewKeyring, Cgroup: saved, IntelRdt: rdt, Config: c.bundle.config,
	}
	if plan.MountsOnHost(c.bundle.Spec) {
		if c.state.HostMount, err = sys.MountID(c.rootfs); err != nil {
			return err
		}
	}
	c.dir, err = state.Create(c.runtime.Root, c.id, c.state)
	if err != nil {
		return fmt.Errorf("claiming the id %s: %w", c.id, err)
	}
	if c.options.StartLater {
		c.clockDir = c.dir.File()
	}
	return nil
}

// makeCgroup makes the cgroup in which the stage is created, where it can be
// created in one. A rootless caller who may not, and asked for nothing, goes
// without.
func (c *creation) makeCgroup() error {
	return c.withoutCgroup(c.cgroup.Create())
}

// withoutCgroup lets a rootless container go on without a cgroup. Without one
// and without a pid namespace of its own, its processes cannot all be found.
func (c *creation) withoutCgroup(err error) error {
	if !errors.Is(err, cgroup.ErrRootless) {
		return err
	}
	if path, ok := spec.Namespace(c.bundle.Spec, specs.PIDNamespace); !ok || path != "" {
		// Compat(runc): its integration tests look for the last words.
		c.runtime.warn("a rootless container with no cgroup and no pid namespace of its own: not all of its processes can be killed with it. Such configuration is strongly discouraged")
	}
	return nil
}

// cgroupDir is the container's cgroup itself.
func (c *creation) cgroupDir() (*os.File, error) { return c.cgroup.File() }

// enterCgroup moves the stage into its cgroup, or makes that, if it was not
// created there, and writes the limits while the stage boots, if nothing of the stage's own can
// suffer: a stage that forks needs room for a second process.
func (c *creation) enterCgroup() error {
	if c.plan.Join == plan.JoinAttach || c.plan.Join == plan.JoinSelf {
		return c.attach()
	}
	if c.plan.Join == plan.JoinNone || c.forks() {
		return nil
	}
	return c.limitNow()
}

// saveCreated writes down that the container is created, and by which process.
func (c *creation) saveCreated() error {
	start, err := sys.StartTime(c.stage.Pid)
	if err != nil {
		return fmt.Errorf("reading the start time of the container's process: %w", err)
	}
	c.state.Phase, c.state.Pid, c.state.PidStart = state.Created, c.stage.Pid, start
	c.state.Descriptors = pipes(c.outlets.stdio)
	if c.state.StartSteps, err = startSteps(c.plan); err != nil {
		return err
	}
	if err := c.dir.Save(c.state); err != nil {
		return err
	}
	if c.options.PidFile == "" {
		return nil
	}
	return writePidFile(c.options.PidFile, c.stage.Pid)
}

// hand lets the container go: the stage waits for start, on its socket or,
// where this process will start it, for one more word.
func (c *creation) hand() (*Container, error) {
	c.runtime.debugf("init: closing the pipe to signal completion") // Compat(runc): as tellStage
	container := &Container{runtime: c.runtime, dir: c.dir, state: c.state, spec: c.bundle.Spec, cgroup: c.cgroup, pidfd: c.stage.Pidfd}
	if !c.options.StartLater {
		container.starter = &conversation{control: c.stage.Control, describe: describeIn(c.plan), warn: c.runtime.warn}
		container.clock = c.keepClock()
		return container, c.dir.Unlock()
	}
	defer c.stage.Control.Close()
	if err := sys.Send(c.stage.Control, []byte("go")); err != nil {
		return nil, fmt.Errorf("releasing the stage: %w", err)
	}
	return container, c.dir.Unlock()
}

// undo removes all that was made. What fails here is left for delete --force,
// which finds it in the state.
func (c *creation) undo() {
	if c.dir == nil {
		return
	}
	if c.stage != nil {
		sys.PidfdSignal(c.stage.Pidfd, unix.SIGKILL)
		sys.PidfdWait(c.stage.Pidfd)
		c.stage.Pidfd.Close()
		c.stage.Control.Close()
	}
	if c.cgroup.KillAll() != nil || c.cgroup.Delete() != nil || unmountRoot(c.state) != nil {
		c.dir.Close()
		return
	}
	if c.rdt != nil {
		c.rdt.Remove()
	}
	c.dir.Remove()
}
