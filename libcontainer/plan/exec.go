package plan

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// execOrder is the order of events when one more process enters a container:
// the parts of its creation that concern a process. What they decide is
// decided anew; nothing is mounted or made.
var execOrder = []section{
	(*compiler).launchExec,
	(*compiler).initialAffinity,
	(*compiler).enterCgroupOnce,
	(*compiler).finalAffinity,
	(*compiler).earlyExec,
	(*compiler).joinContainer,
	(*compiler).leaveProc,
	(*compiler).forkIntoPidNamespace,
	(*compiler).ownProc,
	(*compiler).session,
	(*compiler).joinKeyring,
	(*compiler).joinRoot,
	(*compiler).joinConsole,
	(*compiler).identity,
}

// CompileExec turns one more process of a running container into a plan; s is
// the container's own configuration. Both have been validated by package
// spec; an error is as Compile's.
func CompileExec(process *specs.Process, s *specs.Spec, facts Facts, opts Options) (*Plan, error) {
	merged := *s
	merged.Process = ExecProcess(process, s)
	merged.Hooks = nil
	if merged.Linux == nil {
		merged.Linux = &specs.Linux{}
	}
	opts.WaitForStart = false
	return compile(&merged, facts, opts, execOrder)
}

// ExecProcess is a process with what the container's own has and it lacks.
// Compat(runc): capabilities, labels, limits, scheduling, affinity, the OOM
// score and the umask are the container's unless the process has its own.
func ExecProcess(process *specs.Process, s *specs.Spec) *specs.Process {
	p := *process
	if s.Process == nil {
		return &p
	}
	own := s.Process
	p.ApparmorProfile = or(p.ApparmorProfile, own.ApparmorProfile)
	p.SelinuxLabel = or(p.SelinuxLabel, own.SelinuxLabel)
	p.Capabilities = or(p.Capabilities, own.Capabilities)
	p.Scheduler = or(p.Scheduler, own.Scheduler)
	p.IOPriority = or(p.IOPriority, own.IOPriority)
	p.ExecCPUAffinity = or(p.ExecCPUAffinity, own.ExecCPUAffinity)
	p.OOMScoreAdj = or(p.OOMScoreAdj, own.OOMScoreAdj)
	p.User.Umask = or(p.User.Umask, own.User.Umask)
	if len(p.Rlimits) == 0 {
		p.Rlimits = own.Rlimits
	}
	return &p
}

// or is the first of two values unless that is none.
func or[T comparable](v, other T) T {
	var none T
	if v == none {
		return other
	}
	return v
}

// launchExec sorts the namespaces. The stage starts in none of them.
func (c *compiler) launchExec() error {
	c.sortNamespaces()
	c.file(File{Kind: FileProc})
	c.clock()
	return nil
}

// initialAffinity keeps the stage to some CPUs before it is in the cgroup.
// Spec: config.md#linux-process (execCPUAffinity)
func (c *compiler) initialAffinity() error {
	if a := c.spec.Process.ExecCPUAffinity; a != nil && a.Initial != "" {
		return c.affinity("process.execCPUAffinity.initial", a.Initial)
	}
	return nil
}

// enterCgroupOnce enters a cgroup that exists.
func (c *compiler) enterCgroupOnce() error {
	if c.opts.Join == JoinSelf {
		c.enterAll()
		return nil
	}
	return c.enterCgroup()
}

// finalAffinity is set in the cgroup, whose cpuset bounds it. A process for
// which none is asked gets all CPUs of the cgroup, not those of davit.
func (c *compiler) finalAffinity() error {
	a := c.spec.Process.ExecCPUAffinity
	switch {
	case a != nil && a.Final != "":
		return c.affinity("process.execCPUAffinity.final", a.Final)
	case a == nil || a.Initial == "":
		c.resetAffinity()
	}
	return nil
}

// maxCPU is more than any kernel is built for (CONFIG_NR_CPUS 8192).
const maxCPU = 8191

func (c *compiler) affinity(field, cpus string) error {
	mask, err := listMask(cpus, maxCPU)
	if err != nil {
		return &SpecError{field, "config.md#linux-process", err.Error()}
	}
	c.do("setting "+field, OpAffinity, raw(mask))
	return nil
}

// earlyExec is what needs the rights and the files of the parent's namespaces.
func (c *compiler) earlyExec() error {
	c.processLimits()
	c.hide()
	return nil
}

// joinContainer enters all of the container's namespaces at once: the kernel
// checks the right to each of them before it changes any.
// Linux 5.8: setns(2) of a pidfd.
func (c *compiler) joinContainer() error {
	flags := c.ns.fresh | c.ns.joined
	if c.facts.SharesUserNS {
		flags &^= unix.CLONE_NEWUSER
	}
	if flags == 0 {
		return nil
	}
	c.do("joining the container's namespaces", OpSetns, c.file(File{Kind: FilePidfd}), num(flags))
	if flags&unix.CLONE_NEWUSER != 0 && c.mapsRoot() {
		c.becomeRoot()
	}
	return nil
}

// mapsRoot tells whether the user namespace has a root. Of one that was
// joined by path, the configuration does not say; creation needs it.
func (c *compiler) mapsRoot() bool {
	_, mapped := hostID(c.spec.Linux.UIDMappings, 0)
	return mapped || !c.ns.isNew(unix.CLONE_NEWUSER)
}

// forkIntoPidNamespace makes the process as a child: a joined pid namespace
// holds for children only.
func (c *compiler) forkIntoPidNamespace() error {
	if c.ns.has(unix.CLONE_NEWPID) {
		c.do("creating the process", OpFork, num(0))
	}
	return nil
}

// leaveProc takes the host's proc from the stage before the container's
// processes can see it: with CAP_SYS_PTRACE they may reach whatever it holds,
// unless their user namespace is another than that in which it was executed.
func (c *compiler) leaveProc() error {
	if c.seenInside() {
		c.do("leaving the host's proc", OpLeaveProc)
	}
	return nil
}

// ownProc opens the container's own proc, for the labels.
func (c *compiler) ownProc() error {
	if c.seenInside() && c.hasLabels() {
		c.do("opening the container's own proc", OpOwnProc)
	}
	return nil
}

// seenInside tells whether the container's processes might look into the stage
// once it is in their pid namespace. In a user namespace that they share with
// davit, where the kernel refuses another proc beside a masked one, labels
// need the host's.
func (c *compiler) seenInside() bool {
	if !c.ns.has(unix.CLONE_NEWPID) || c.ns.has(unix.CLONE_NEWUSER) && !c.facts.SharesUserNS {
		return false
	}
	return !c.facts.InUserNamespace || !c.hasLabels()
}

// joinKeyring joins the container's session keyring, as it is.
func (c *compiler) joinKeyring() error {
	c.sessionKeyring(0)
	return nil
}

// joinRoot opens the root of the mount namespace, which is the container's;
// where that has none of its own, the root is entered as at its creation.
func (c *compiler) joinRoot() error {
	if c.ns.has(unix.CLONE_NEWNS) {
		c.do("opening the container's root", OpRoot, str("/"), num(rootOpen))
		return nil
	}
	c.do("opening the container's root "+c.opts.Rootfs, OpRoot, str(c.opts.Rootfs), num(rootOpen))
	return c.enterRoot()
}

// joinConsole makes a terminal of its own; /dev/console is the container's.
func (c *compiler) joinConsole() error {
	c.terminal(false)
	return nil
}
