package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"golang.org/x/sys/unix"

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
func (m *making) converse() error {
	err := m.talk()
	if !errors.Is(err, errKilledAtBirth) {
		return err
	}
	sys.CloseAll([]*os.File{m.stage.Pidfd, m.stage.Control})
	if err := m.startOutside(); err != nil {
		return err
	}
	return m.talk()
}

// talk answers the stage at every step of the plan that speaks.
func (m *making) talk() error {
	talk := &conversation{control: m.stage.Control, describe: describeIn(m.plan), warn: m.runtime.warn}
	for i := range m.plan.Steps {
		done, err := m.answer(talk, &m.plan.Steps[i])
		if errors.Is(err, errStageDied) {
			return m.explainDeath(talk)
		}
		if done || err != nil {
			return err
		}
	}
	return errors.New("the plan has no ready step")
}

// answer does what one step wants of its parent; most want nothing.
func (m *making) answer(talk *conversation, s *plan.Step) (done bool, err error) {
	switch s.Op {
	case plan.OpSync:
		return false, m.answerSync(talk, s.Args[0].Str)
	case plan.OpTakeTree:
		return false, m.answerTree(talk, s)
	case plan.OpFork:
		return false, m.answerFork(talk)
	case plan.OpConsole:
		return false, m.answerFile(talk, plan.SyncConsole, m.passConsole)
	case plan.OpSeccomp:
		return false, m.answerListener(talk, s.Args[2].Int)
	case plan.OpReady:
		if err := m.limitNow(); err != nil {
			return true, err
		}
		_, err := talk.expect("ready", "")
		return true, err
	}
	return false, nil
}

func (m *making) answerSync(talk *conversation, name string) error {
	if _, err := talk.expect("sync", name); err != nil {
		return err
	}
	if err := m.act(name); err != nil {
		return err
	}
	return talk.proceed()
}

// act does what the syncs of a creation ask for.
func (c *creation) act(sync string) error {
	switch sync {
	case plan.SyncCgroup:
		return c.attach()
	case plan.SyncIDMap:
		return c.mapIDs()
	case plan.SyncNetwork:
		return c.moveDevices()
	case plan.SyncHooks:
		return c.runtimeHooks(c.stage.Pid)
	}
	return unexpected("sync " + sync)
}

// attach moves the stage into its cgroup, or makes that for the stage to move
// itself, once; and it limits the cgroup where the stage does not fork.
func (c *creation) attach() error {
	if c.attached {
		return nil
	}
	c.attached = true
	if err := c.withoutCgroup(c.joinCgroup()); err != nil {
		return err
	}
	if c.forks() {
		return nil
	}
	return c.limitNow()
}

func (c *creation) joinCgroup() error {
	if c.plan.Join == plan.JoinSelf {
		return c.cgroup.Make()
	}
	return c.cgroup.Attach(c.stage.Pid)
}

// mapIDs writes the user namespace's mappings.
func (c *creation) mapIDs() error {
	proc, err := host.Proc()
	if err != nil {
		return err
	}
	maps := idmap.Maps{UIDs: c.plan.UIDMappings, GIDs: c.plan.GIDMappings}
	ways := idmap.Choose(maps, host.EffectiveCaps(), os.Geteuid(), os.Getegid())
	err = idmap.Write(proc, c.stage.Pid, maps, ways)
	if reason := host.UserNSRefusal(); reason != "" && ways.UIDs == idmap.Self && errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w [%s]", err, reason)
	}
	return err
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
func (c *creation) runtimeHooks(pid int) error {
	if err := c.limitNow(); err != nil {
		return err
	}
	h := hooks(c.bundle.Spec)
	state, err := hookState(c.state, specs.StateCreated, pid)
	if err != nil {
		return err
	}
	opts := hook.Options{Dir: c.bundle.Path, Env: c.runtime.HookEnv}
	//lint:ignore SA1019 prestart is deprecated and still used by everyone
	if err := hook.Run(context.Background(), "prestart", h.Prestart, state, opts); err != nil {
		return err
	}
	return hook.Run(context.Background(), "createRuntime", h.CreateRuntime, state, opts)
}

// answerFork takes over the stage's child: only then may it go on.
func (m *making) answerFork(talk *conversation) error {
	said, err := talk.expect("pid", "")
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(said.text)
	if err != nil {
		return fmt.Errorf("talking to the stage: %q is not a pid", said.text)
	}
	pidfd, err := sys.PidfdOpen(pid)
	if err != nil {
		return fmt.Errorf("opening the container's process: %w", err)
	}
	if _, err := sys.PidfdWait(m.stage.Pidfd); err != nil {
		pidfd.Close()
		return fmt.Errorf("waiting for the stage's first process: %w", err)
	}
	m.stage.Pidfd.Close()
	m.stage.Pid, m.stage.Pidfd = pid, pidfd
	if err := m.limitNow(); err != nil {
		return err
	}
	return talk.proceed()
}

// answerFile hands on the descriptor that came with a sync.
func (m *making) answerFile(talk *conversation, name string, pass func(*os.File) error) error {
	said, err := talk.expect("sync", name)
	if err != nil {
		return err
	}
	defer said.close()
	if len(said.files) != 1 {
		return fmt.Errorf("talking to the stage: sync %s came with %d descriptors", name, len(said.files))
	}
	if err := pass(said.files[0]); err != nil {
		return err
	}
	return talk.proceed()
}

// answerListener hands on the listener of a filter that notifies, which comes
// with the sync, or is to be taken from the stage.
func (m *making) answerListener(talk *conversation, how int64) error {
	switch how {
	case plan.ListenerSent:
		return m.answerFile(talk, plan.SyncSeccomp, m.passListener)
	case plan.ListenerTaken:
		return m.takeListener(talk)
	}
	return nil
}

func (m *making) takeListener(talk *conversation) error {
	said, err := talk.expect("sync", "")
	if err != nil {
		return err
	}
	said.close()
	number, err := strconv.Atoi(strings.TrimPrefix(said.text, plan.SyncSeccomp+" "))
	if err != nil {
		return fmt.Errorf("talking to the stage: sync %q has no descriptor's number", said.text)
	}
	listener, err := sys.PidfdTake(m.stage.Pidfd, number)
	if err != nil {
		return fmt.Errorf("taking the seccomp listener: %w [a filter that notifies of sendmsg needs CAP_SYS_PTRACE]", err)
	}
	defer listener.Close()
	if err := m.passListener(listener); err != nil {
		return err
	}
	return talk.proceed()
}

// explainDeath says why a stage may have ended without a word.
func (m *making) explainDeath(talk *conversation) error {
	exit, err := sys.PidfdWait(m.stage.Pidfd)
	if err != nil {
		return errStageDied
	}
	if kills, level, err := m.cgroup.OOM(); err == nil && kills > 0 {
		return fmt.Errorf("%s: it ran out of memory, the limit of cgroup %s was hit [raise linux.resources.memory.limit]", m.doing, level)
	}
	if !talk.heard && exit.Signal == unix.SIGKILL && m.cloned {
		return errKilledAtBirth
	}
	return fmt.Errorf("%s: the stage ended with %v", m.doing, exit)
}
