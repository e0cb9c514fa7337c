package plan

import (
	"errors"
	"path"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// CompileMount turns a mount that a running container is to get into a plan;
// s is the container's configuration. What is mounted is opened outside, its
// destination in the container. Errors are as Compile's.
func CompileMount(m *specs.Mount, s *specs.Spec, facts Facts, opts Options) (*Plan, error) {
	return compileLive(s, facts, opts, func(l *live) error {
		err := l.mount(m)
		if e := (*SpecError)(nil); errors.As(err, &e) {
			return addedError{e}
		}
		return err
	})
}

// CompileUnmount turns the removal of what is mounted in a running container
// at a destination into a plan.
func CompileUnmount(destination string, s *specs.Spec, facts Facts, opts Options) (*Plan, error) {
	return compileLive(s, facts, opts, func(l *live) error {
		dest := l.dest(destination)
		l.enter(0)
		l.do("unmounting "+dest, OpUnmount, str(dest))
		return nil
	})
}

// live compiles changes to the mounts of a running container.
type live struct {
	*compiler
	pidfd  Value
	inside uint64 // the container's namespaces that were joined, CLONE_NEW*
}

func compileLive(s *specs.Spec, facts Facts, opts Options, change func(*live) error) (*Plan, error) {
	merged := *s
	if merged.Linux == nil {
		merged.Linux = &specs.Linux{}
	}
	opts.Join = JoinNone
	return compile(&merged, facts, opts, []section{(*compiler).launchExec, func(c *compiler) error {
		if !c.ns.has(unix.CLONE_NEWNS) {
			return &SpecError{"linux.namespaces", mountsSection, "the container has no mount namespace of its own"}
		}
		l := &live{compiler: c, pidfd: c.file(File{Kind: FilePidfd})}
		l.hide()
		if err := change(l); err != nil {
			return err
		}
		l.do("finishing the mount", OpReady)
		return nil
	}})
}

// mount opens what is mounted, enters the container, and puts it there.
func (l *live) mount(m *specs.Mount) error {
	o := parseMountOptions(m.Options)
	dest := l.dest(m.Destination)
	if err := checkDest(m, dest); err != nil {
		return err
	}
	switch {
	case isBind(m, &o):
		return l.bind(m, &o, dest)
	case o.remount:
		l.enter(0)
		l.remount(&o, dest)
	case m.Type == "cgroup":
		return &SpecError{"mounts: " + m.Destination, mountsSection, "type cgroup, which stands for several mounts, cannot be added to a container; cgroup2 can"}
	case l.showsCgroups(m) && l.sharesCgroups():
		l.bindCgroup2(&o, dest)
	default:
		l.newFS(m, &o, dest)
	}
	return nil
}

// bind opens the source with the rights of davit's caller. It is a slave of
// the host's mount, as at a container's creation: nothing comes back from it.
func (l *live) bind(m *specs.Mount, o *mountOptions, dest string) error {
	source := m.Source
	if !path.IsAbs(source) {
		source = path.Join(l.opts.Bundle, source)
	}
	tree, mapped, err := l.mapping(source, m, o)
	if err != nil {
		return err
	}
	if l.joinsUser() && !l.facts.Privileged {
		l.ownView()
	}
	doing := "mounting " + m.Source + " at " + dest
	l.openTree(doing, source, o)
	if mapped {
		l.mapTree(tree)
	}
	if o.changes() {
		l.do(doing, OpSetAttr, num(o.set), num(o.clear), num(l.reset(o)), num(0), num(0))
	}
	l.do(doing, OpSetAttr, num(0), num(0), num(0), num(uint64(unix.MS_SLAVE)), num(AttrRecursive))
	l.enter(0)
	l.finishMount(doing, o, dest, attachFlags("bind", o, dest))
	return nil
}

// bindCgroup2 binds the host's cgroup2 for a container in davit's cgroup
// namespace, as at its creation.
func (l *live) bindCgroup2(o *mountOptions, dest string) {
	if l.joinsUser() && !l.facts.Privileged {
		l.ownView()
	}
	doing := "mounting cgroup2 at " + dest
	l.openCgroup2(doing, o)
	l.do(doing, OpSetAttr, num(0), num(0), num(0), num(uint64(unix.MS_SLAVE)), num(AttrRecursive))
	l.enter(0)
	l.finishMount(doing, o, dest, 0)
}

// reset leaves the attributes alone that the options do not name, where at
// the creation of the container the kernel would have locked them.
func (l *live) reset(o *mountOptions) uint64 {
	if l.ns.has(unix.CLONE_NEWUSER) {
		return o.reset() &^ lockable
	}
	return o.reset()
}

// mapTree maps the ids of the tree in hand.
func (l *live) mapTree(tree Tree) {
	file := File{Kind: FileUserNS, UIDMap: tree.UIDMap, GIDMap: tree.GIDMap}
	if tree.Container {
		file = File{Kind: FileContainerUserNS}
	}
	l.do("mapping the ids of "+tree.Source, OpMapTree, l.file(file), truth(tree.MapRecursive))
}

// ownView gives the stage the right to clone the host's mounts, in a mount
// namespace of the container's user namespace.
func (l *live) ownView() {
	l.join(unix.CLONE_NEWUSER)
	l.do("making a mount namespace to open the source in", OpUnshare, num(uint64(unix.CLONE_NEWNS)))
	l.do("setting the propagation of mounts from the host", OpPropagate, str("/"), num(uint64(unix.MS_SLAVE|unix.MS_REC)))
}

// newFS mounts a new file system of the container's namespaces. Its source is
// the host's; where the container has a user namespace, which the new file
// system must belong to, the kernel allows no file systems that have one.
func (l *live) newFS(m *specs.Mount, o *mountOptions, dest string) {
	kinds := namespacesOf(m.Type)
	if l.joinsUser() || m.Type == "tmpfs" {
		l.enter(kinds)
		l.createFS(m, o, dest)
	} else {
		l.join(kinds)
		l.createFS(m, o, dest)
		l.enter(0)
	}
	l.placeFS(m, o, dest)
	if late := l.readonlyLate(m.Type, o, dest); late != 0 {
		l.do("making "+dest+" read-only", OpSetAttr, num(late), num(0), num(0), num(0), num(0))
	}
}

// namespacesOf are those whose contents a type of file system shows.
func namespacesOf(fstype string) uint64 {
	switch fstype {
	case "proc":
		return unix.CLONE_NEWPID
	case "sysfs":
		return unix.CLONE_NEWNET
	case "mqueue":
		return unix.CLONE_NEWIPC
	case "cgroup2":
		return unix.CLONE_NEWCGROUP
	}
	return 0
}

// joinsUser tells whether the container's user namespace is one to join.
func (l *live) joinsUser() bool {
	return l.ns.has(unix.CLONE_NEWUSER) && !l.facts.SharesUserNS
}

// enter joins the mount namespace, with what belongs to it and the other
// kinds, and opens the container's root.
func (l *live) enter(kinds uint64) {
	kinds |= unix.CLONE_NEWNS
	if l.joinsUser() {
		kinds |= unix.CLONE_NEWUSER
	}
	l.join(kinds)
	l.do("opening the container's root", OpRoot, str("/"), num(rootOpen))
}

// join joins those of the kinds of namespaces that the container has of its
// own, once each.
func (l *live) join(kinds uint64) {
	kinds &= (l.ns.fresh | l.ns.joined) &^ l.inside
	if kinds == 0 {
		return
	}
	l.inside |= kinds
	l.do("joining the container's namespaces", OpSetns, l.pidfd, num(kinds))
	if kinds&unix.CLONE_NEWUSER != 0 && l.mapsRoot() {
		l.becomeRoot()
	}
	if kinds&unix.CLONE_NEWPID != 0 {
		l.do("entering the pid namespace", OpFork, num(0))
	}
}
