package plan

import (
	"fmt"
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// nsFlags pairs the specification's names with the kernel's flags, in the
// order in which namespaces are joined.
var nsFlags = [...]struct {
	name specs.LinuxNamespaceType
	flag uint64
}{
	{specs.UserNamespace, unix.CLONE_NEWUSER},
	{specs.NetworkNamespace, unix.CLONE_NEWNET},
	{specs.IPCNamespace, unix.CLONE_NEWIPC},
	{specs.UTSNamespace, unix.CLONE_NEWUTS},
	{specs.PIDNamespace, unix.CLONE_NEWPID},
	{specs.CgroupNamespace, unix.CLONE_NEWCGROUP},
	{specs.TimeNamespace, unix.CLONE_NEWTIME},
	{specs.MountNamespace, unix.CLONE_NEWNS},
}

// namespaces is the configuration's list, sorted out: sets of CLONE_NEW*.
type namespaces struct {
	fresh, joined uint64
	paths         map[uint64]string
}

func (n namespaces) has(flag uint64) bool   { return (n.fresh|n.joined)&flag != 0 }
func (n namespaces) isNew(flag uint64) bool { return n.fresh&flag != 0 }

// forks tells whether the stage must create the container's process as a
// child: a pid namespace that a joined or new user namespace shall own, a
// joined pid namespace and a new time namespace all hold only for children.
func (n namespaces) forks() bool {
	return n.isNew(unix.CLONE_NEWPID) && n.has(unix.CLONE_NEWUSER) ||
		n.joined&unix.CLONE_NEWPID != 0 ||
		n.isNew(unix.CLONE_NEWTIME)
}

// launch sorts the namespaces and decides how the stage is started.
// Spec: config-linux.md#namespaces
func (c *compiler) launch() error {
	c.sortNamespaces()
	if err := c.checkRights(); err != nil {
		return err
	}
	if c.ns.isNew(unix.CLONE_NEWPID) && !c.ns.forks() {
		c.plan.Clone = unix.CLONE_NEWPID
	}
	c.file(File{Kind: FileProc})
	c.clock()
	return nil
}

func (c *compiler) sortNamespaces() {
	for _, ns := range c.spec.Linux.Namespaces {
		flag := nsFlag(ns.Type)
		if ns.Path == "" {
			c.ns.fresh |= flag
			continue
		}
		c.ns.joined |= flag
		if c.ns.paths == nil {
			c.ns.paths = map[uint64]string{}
		}
		c.ns.paths[flag] = ns.Path
	}
}

func nsFlag(t specs.LinuxNamespaceType) uint64 {
	for _, f := range nsFlags {
		if f.name == t {
			return f.flag
		}
	}
	return 0
}

// enterCgroup comes late, because the parent takes as long as all that comes
// before to make the cgroup, or to move the stage into it.
func (c *compiler) enterCgroup() error {
	switch {
	case c.opts.Join == JoinAttach:
		c.do("entering the cgroup", OpSync, str(SyncCgroup))
	case c.opts.Join == JoinSelf && !c.losesEntrances():
		c.enterBySelf()
	}
	return nil
}

// enterCgroupFirst is for a stage that loses the right or the way to the
// host's files.
func (c *compiler) enterCgroupFirst() error {
	if c.opts.Join == JoinSelf && c.losesEntrances() {
		c.enterBySelf()
	}
	return nil
}

func (c *compiler) losesEntrances() bool {
	return c.ns.has(unix.CLONE_NEWUSER) || c.ns.joined&unix.CLONE_NEWNS != 0
}

func (c *compiler) enterBySelf() {
	c.do("entering the cgroup", OpSync, str(SyncCgroup))
	c.enterAll()
}

func (c *compiler) enterAll() {
	for _, e := range c.opts.Entrances {
		c.do("adding pid 0 to cgroup "+path.Dir(e.File), OpEnter, str(e.File), truth(e.Optional))
	}
}

// early is what needs the rights and the files of the parent's namespaces.
func (c *compiler) early() error {
	c.resetAffinity()
	c.processLimits()
	if !c.mapsItself() {
		c.hide()
	}
	return nil
}

func (c *compiler) resetAffinity() {
	c.do("resetting the CPU affinity", OpAffinity, raw(nil))
}

// processLimits sets what of the process's takes the parent's rights.
func (c *compiler) processLimits() {
	p := c.spec.Process
	if p == nil {
		return
	}
	if p.OOMScoreAdj != nil {
		c.do("setting process.oomScoreAdj", OpWriteProc, str("self/oom_score_adj"), str(fmt.Sprint(*p.OOMScoreAdj)))
	}
	if c.ns.has(unix.CLONE_NEWUSER) {
		c.raiseRlimits(p.Rlimits)
	}
}

// hide keeps the stage from the container's processes before it is among them.
func (c *compiler) hide() {
	c.do("hiding from the container's processes", OpDumpable, num(0))
}

// mapsItself tells whether an unprivileged parent writes the id mappings:
// the kernel then wants the stage dumpable until they are written.
func (c *compiler) mapsItself() bool {
	return !c.facts.Privileged && c.ns.isNew(unix.CLONE_NEWUSER)
}

// joinNamespaces enters the namespaces given by path. With privilege the
// user namespace comes last, so that every other may be joined whoever owns
// it; without, it comes first, since it gives the right to join the others.
func (c *compiler) joinNamespaces() error {
	if !c.facts.Privileged {
		c.joinUser()
	}
	for _, f := range nsFlags {
		if f.flag != unix.CLONE_NEWUSER {
			c.join(f.name, f.flag)
		}
	}
	if c.facts.Privileged {
		c.joinUser()
	}
	return nil
}

func (c *compiler) joinUser() {
	if c.join(specs.UserNamespace, unix.CLONE_NEWUSER) {
		c.becomeRoot()
	}
}

func (c *compiler) becomeRoot() {
	c.do("becoming root of the user namespace", OpBecome, num(0), num(0))
}

func (c *compiler) join(name specs.LinuxNamespaceType, flag uint64) bool {
	file := c.ns.paths[flag]
	if file == "" {
		return false
	}
	fd := c.file(File{Kind: FileNamespace, Path: file})
	c.do("joining the "+string(name)+" namespace "+file, OpSetns, fd, num(flag))
	return true
}

// newUserNamespace comes before the other new namespaces, which it shall own.
// Spec: config-linux.md#user-namespace-mappings
func (c *compiler) newUserNamespace() error {
	if !c.ns.isNew(unix.CLONE_NEWUSER) {
		return nil
	}
	c.plan.UIDMappings, c.plan.GIDMappings = c.spec.Linux.UIDMappings, c.spec.Linux.GIDMappings
	c.do("creating the user namespace", OpUnshare, num(uint64(unix.CLONE_NEWUSER)))
	c.do("mapping the user namespace's ids", OpSync, str(SyncIDMap))
	if c.mapsItself() {
		c.hide()
	}
	if _, mapped := hostID(c.spec.Linux.UIDMappings, 0); mapped {
		c.becomeRoot()
	}
	return nil
}

// newCgroupNamespace comes when the stage is in the cgroup that is to be its root.
func (c *compiler) newCgroupNamespace() error {
	if c.entersLate() && c.ns.isNew(unix.CLONE_NEWCGROUP) {
		c.do("creating the cgroup namespace", OpUnshare, num(uint64(unix.CLONE_NEWCGROUP)))
	}
	return nil
}

// entersLate tells whether the stage is in its cgroup only after newNamespaces.
func (c *compiler) entersLate() bool {
	return c.opts.Join == JoinAttach || c.opts.Join == JoinSelf
}

// newNamespaces creates the rest at once, except a cgroup namespace where the
// stage is not yet in its cgroup.
func (c *compiler) newNamespaces() error {
	flags := c.ns.fresh &^ (unix.CLONE_NEWUSER | unix.CLONE_NEWPID)
	if c.entersLate() {
		flags &^= unix.CLONE_NEWCGROUP
	}
	if flags == 0 {
		return nil
	}
	c.do("creating namespaces", OpUnshare, num(flags))
	if offsets := c.timeOffsets(); offsets != "" {
		userns := c.ns.has(unix.CLONE_NEWUSER)
		if userns {
			c.do("opening its own proc files", OpDumpable, num(1))
		}
		c.do("setting linux.timeOffsets", OpWriteProc, str("self/timens_offsets"), str(offsets))
		if userns {
			c.hide()
		}
	}
	return nil
}

// timeOffsets is the text for /proc/self/timens_offsets.
// Spec: config-linux.md#offset-for-time-namespace
// Linux 5.6: time_namespaces(7).
func (c *compiler) timeOffsets() string {
	if !c.ns.isNew(unix.CLONE_NEWTIME) {
		return ""
	}
	var b strings.Builder
	for _, clock := range []string{"monotonic", "boottime"} {
		if o, ok := c.spec.Linux.TimeOffsets[clock]; ok {
			fmt.Fprintf(&b, "%s %d %d\n", clock, o.Secs, o.Nanosecs)
		}
	}
	return b.String()
}

// forkPidNamespace makes the container's process where the stage's own
// cannot be it.
func (c *compiler) forkPidNamespace() error {
	if c.ns.forks() {
		c.do("creating the container's process", OpFork, num(c.ns.fresh&unix.CLONE_NEWPID))
	}
	return nil
}

// network gives a new namespace its loopback, and lets the parent move network
// devices in.
// Compat(runc): the loopback device is up.
// Spec: config-linux.md#network-devices
func (c *compiler) network() error {
	if c.ns.isNew(unix.CLONE_NEWNET) {
		c.do("setting up the loopback device", OpLoopback)
	}
	if len(c.spec.Linux.NetDevices) > 0 {
		c.do("moving network devices", OpSync, str(SyncNetwork))
	}
	return nil
}

// names sets the host and domain name.
// Spec: config.md#hostname
func (c *compiler) names() error {
	if name := c.spec.Hostname; name != "" {
		c.do("setting the hostname", OpHostname, str(name))
	}
	if name := c.spec.Domainname; name != "" {
		c.do("setting the domainname", OpDomainname, str(name))
	}
	return nil
}
