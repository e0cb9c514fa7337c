package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/cgroup"
	"github.com/davit-containers/davit/libcontainer/hook"
	"github.com/davit-containers/davit/libcontainer/host"
	"github.com/davit-containers/davit/libcontainer/idmap"
	"github.com/davit-containers/davit/libcontainer/internal/sys"
	"github.com/davit-containers/davit/libcontainer/netdev"
	"github.com/davit-containers/davit/libcontainer/plan"
)

// converse answers the stage until it is ready. A stage that was killed before
// its first word is started once more, to be moved into its cgroup.
// Linux 6.13: CLONE_INTO_CGROUP kills the child where cgroup.kill was ever
// written in one of the two cgroups and not in the other.
func (c *creation) converse() error {
	err := c.talk()
	if !errors.Is(err, errKilledAtBirth) {
		return err
	}
	c.join = plan.JoinAttach
	for _, event := range []func(*creation) error{(*creation).compilePlan, (*creation).startStage, (*creation).talk} {
		if err := event(c); err != nil {
			return err
		}
	}
	return nil
}

// talk answers the stage at every step of the plan that speaks.
func (c *creation) talk() error {
	talk := &conversation{control: c.stage.Control, describe: describeIn(c.plan), warn: c.runtime.warn}
	for i := range c.plan.Steps {
		done, err := c.answer(talk, &c.plan.Steps[i])
		if errors.Is(err, errStageDied) {
			return c.explainDeath(talk)
		}
		if done || err != nil {
			return err
		}
	}
	return errors.New("the plan has no ready step")
}

// answer does what one step wants of its parent; most want nothing.
func (c *creation) answer(talk *conversation, s *plan.Step) (done bool, err error) {
	switch s.Op {
	case plan.OpSync:
		return false, c.answerSync(talk, s.Args[0].Str)
	case plan.OpTakeTree:
		return false, c.answerTree(talk, s.Args[0].Str)
	case plan.OpFork:
		return false, c.answerFork(talk)
	case plan.OpConsole:
		return false, c.answerFile(talk, plan.SyncConsole, c.passConsole)
	case plan.OpSeccomp:
		if s.Args[2].Int == 0 {
			return false, nil
		}
		return false, c.answerFile(talk, plan.SyncSeccomp, c.passListener)
	case plan.OpReady:
		if err := c.limitNow(); err != nil {
			return true, err
		}
		_, err := talk.expect("ready", "")
		return true, err
	}
	return false, nil
}

func (c *creation) answerSync(talk *conversation, name string) error {
	if _, err := talk.expect("sync", name); err != nil {
		return err
	}
	var err error
	switch name {
	case plan.SyncCgroup:
		err = c.attach()
	case plan.SyncIDMap:
		err = c.mapIDs()
	case plan.SyncNetwork:
		err = c.moveDevices()
	case plan.SyncHooks:
		err = c.runtimeHooks()
	}
	if err != nil {
		return err
	}
	return talk.proceed()
}

// attach moves the stage into its cgroup, and limits it where it does not fork.
func (c *creation) attach() error {
	err := c.cgroup.Attach(c.stage.Pid)
	if errors.Is(err, cgroup.ErrRootless) {
		c.runtime.warn(err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	if c.forks() {
		return nil
	}
	return c.limitNow()
}

// mapIDs writes the user namespace's mappings.
func (c *creation) mapIDs() error {
	proc, err := host.Proc()
	if err != nil {
		return err
	}
	maps := idmap.Maps{UIDs: c.plan.UIDMappings, GIDs: c.plan.GIDMappings}
	how := idmap.Choose(maps, host.EffectiveCaps(), os.Geteuid(), os.Getegid())
	return idmap.Write(proc, c.stage.Pid, maps, how)
}

// moveDevices moves network devices into the container's namespace.
func (c *creation) moveDevices() error {
	netns, err := os.Open("/proc/" + strconv.Itoa(c.stage.Pid) + "/ns/net")
	if err != nil {
		return fmt.Errorf("opening the container's network namespace: %w", pathError(err))
	}
	defer netns.Close()
	return netdev.Move(c.bundle.Spec.Linux.NetDevices, netns)
}

// runtimeHooks runs the prestart and the createRuntime hooks. By then the
// runtime environment is there: the status is created.
// Spec: config.md#posix-platform-hooks, runtime.md#lifecycle
func (c *creation) runtimeHooks() error {
	if err := c.limitNow(); err != nil {
		return err
	}
	h := hooks(c.bundle.Spec)
	state, err := hookState(c.state, specs.StateCreated, c.stage.Pid)
	if err != nil {
		return err
	}
	opts := hook.Options{Dir: c.bundle.Path}
	//lint:ignore SA1019 prestart is deprecated and still used by everyone
	if err := hook.Run(context.Background(), "prestart", h.Prestart, state, opts); err != nil {
		return err
	}
	return hook.Run(context.Background(), "createRuntime", h.CreateRuntime, state, opts)
}

// answerFork takes over the stage's child: only then may it go on.
func (c *creation) answerFork(talk *conversation) error {
	m, err := talk.expect("pid", "")
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(m.text)
	if err != nil {
		return fmt.Errorf("talking to the stage: %q is not a pid", m.text)
	}
	pidfd, err := sys.PidfdOpen(pid)
	if err != nil {
		return fmt.Errorf("opening the container's process: %w", err)
	}
	if _, err := sys.PidfdWait(c.stage.Pidfd); err != nil {
		pidfd.Close()
		return fmt.Errorf("waiting for the stage's first process: %w", err)
	}
	c.stage.Pidfd.Close()
	c.stage.Pid, c.stage.Pidfd = pid, pidfd
	if err := c.limitNow(); err != nil {
		return err
	}
	return talk.proceed()
}

// answerFile hands on the descriptor that came with a sync.
func (c *creation) answerFile(talk *conversation, name string, pass func(*os.File) error) error {
	m, err := talk.expect("sync", name)
	if err != nil {
		return err
	}
	defer m.close()
	if len(m.files) != 1 {
		return fmt.Errorf("talking to the stage: sync %s came with %d descriptors", name, len(m.files))
	}
	if err := pass(m.files[0]); err != nil {
		return err
	}
	return talk.proceed()
}

// explainDeath says why a stage may have ended without a word.
func (c *creation) explainDeath(talk *conversation) error {
	exit, err := sys.PidfdWait(c.stage.Pidfd)
	if err != nil {
		return errStageDied
	}
	if kills, level, err := c.cgroup.OOM(); err == nil && kills > 0 {
		return fmt.Errorf("creating the container: it ran out of memory, the limit of cgroup %s was hit [raise linux.resources.memory.limit]", level)
	}
	if !talk.heard && exit.Signal == unix.SIGKILL && c.plan.Join == plan.JoinClone {
		return errKilledAtBirth
	}
	return fmt.Errorf("creating the container: the stage ended with %v", exit)
}
