package plan

import (
	"path"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Restorer is the program that makes a container's processes again from their
// images: the stage becomes it.
type Restorer struct {
	// Dir and Mountpoint say where it finds the root file system: at
	// Mountpoint, a name in the directory Dir.
	Dir, Mountpoint string
	// CgroupNamespace puts it, and with it the processes, into the container's
	// new cgroup namespace: for one that leaves cgroups as they are.
	CgroupNamespace bool
	// Program is its path, Args and Env are what it is executed with.
	Program   string
	Args, Env []string
}

// restoreOrder is the order of events in a container's restoration: the stage
// goes where the container's processes are to be, sees to it that they find
// their mount points, and leaves the rest to the restorer. What it mounts is in
// a mount namespace of its own, which ends with the restorer.
var restoreOrder = []section{
	(*compiler).launchRestorer,
	(*compiler).enterCgroup,
	(*compiler).earlyRestorer,
	(*compiler).keyring,
	(*compiler).restoreRoot,
	(*compiler).mountpoints,
	(*compiler).becomeRestorer,
}

// CompileRestore turns the restoration of a container into a plan. The
// configuration has been validated by package spec; an error is as Compile's.
func CompileRestore(s *specs.Spec, facts Facts, opts Options, r Restorer) (*Plan, error) {
	if s.Linux == nil {
		s.Linux = &specs.Linux{}
	}
	c := &compiler{spec: s, facts: facts, opts: opts, restorer: r, plan: &Plan{Join: opts.Join}}
	return c.compile(restoreOrder)
}

func (c *compiler) launchRestorer() error {
	c.sortNamespaces()
	if !c.ns.has(unix.CLONE_NEWNS) {
		return &SpecError{"linux.namespaces", "config-linux.md#namespaces", "a container can be restored only into a mount namespace"}
	}
	c.file(File{Kind: FileProc})
	return nil
}

// earlyRestorer is what the processes have from whoever restores them.
func (c *compiler) earlyRestorer() error {
	c.resetAffinity()
	return nil
}

// restoreRoot mounts the root file system at a place of its own: the
// restorer wants a mount point whose parent nothing covers.
func (c *compiler) restoreRoot() error {
	doing := "mounting the root file system " + c.opts.Rootfs
	c.do("creating a mount namespace", OpUnshare, num(uint64(unix.CLONE_NEWNS)))
	if c.restorer.CgroupNamespace && c.ns.isNew(unix.CLONE_NEWCGROUP) {
		c.do("creating the cgroup namespace", OpUnshare, num(uint64(unix.CLONE_NEWCGROUP)))
	}
	c.do("setting the propagation of mounts from the host", OpPropagate, str("/"), num(uint64(unix.MS_SLAVE|unix.MS_REC)))
	c.do("opening "+c.restorer.Dir, OpRoot, str(c.restorer.Dir), num(rootOpen))
	c.do(doing, OpOpenTree, str(c.opts.Rootfs), num(uint64(unix.AT_RECURSIVE)))
	c.do(doing, OpAttach, str("/"+c.restorer.Mountpoint), num(0))
	c.do(doing, OpRoot, str(path.Join(c.restorer.Dir, c.restorer.Mountpoint)), num(rootOpen))
	return nil
}

// mountpoints makes those that are missing in the root file system, and in what
// is bound there. Those in a file system that is new with the container come
// with its content.
func (c *compiler) mountpoints() error {
	for i := range c.spec.Mounts {
		m := &c.spec.Mounts[i]
		o := parseMountOptions(m.Options)
		dest := c.dest(m.Destination)
		switch {
		case o.remount || c.onNewFS(i, dest):
		case isBind(m, &o):
			c.bindPoint(m, &o, dest)
		default:
			c.do("making the mount point "+dest, OpMkdir, str(dest))
		}
	}
	return nil
}

func (c *compiler) bindPoint(m *specs.Mount, o *mountOptions, dest string) {
	doing := "mounting " + m.Source + " at " + dest
	c.openTree(doing, c.bindSource(m), o)
	c.do(doing, OpAttach, str(dest), num(attachFlags("bind", o, dest)))
}

// onNewFS tells whether dest is below the destination of an earlier mount that
// brings its own content.
func (c *compiler) onNewFS(earlier int, dest string) bool {
	for i := range c.spec.Mounts[:earlier] {
		m := &c.spec.Mounts[i]
		o := parseMountOptions(m.Options)
		if !isBind(m, &o) && strings.HasPrefix(dest, c.dest(m.Destination)+"/") {
			return true
		}
	}
	return false
}

func (c *compiler) becomeRestorer() error {
	doing := "exec: " + strconv.Quote(c.restorer.Program)
	c.do(doing, OpFind, str(c.restorer.Program), str(""))
	// criu restores it from 3.18 on only; what criu has, the processes keep.
	if p := c.spec.Process; p != nil {
		if err := c.noNewPrivileges(p); err != nil {
			return err
		}
	}
	c.do("finishing the preparation", OpReady)
	if err := c.closeFiles(nil); err != nil {
		return err
	}
	c.do(doing, OpExec, list(c.restorer.Args), list(c.restorer.Env))
	return nil
}

// ExternalMount is a mount of a container that shows something of the host.
type ExternalMount struct {
	Dest   string // in the container, as configured: it may lead through links
	Source string // on the host
}

// ExternalMounts lists them: what Compile binds.
func ExternalMounts(s *specs.Spec, facts Facts, opts Options) []ExternalMount {
	c := &compiler{spec: s, facts: facts, opts: opts}
	c.sortNamespaces()
	var list []ExternalMount
	for i := range s.Mounts {
		m := &s.Mounts[i]
		o := parseMountOptions(m.Options)
		switch dest := c.dest(m.Destination); {
		case isBind(m, &o):
			list = append(list, ExternalMount{dest, c.bindSource(m)})
		case c.showsCgroups(m) && !o.remount:
			list = append(list, c.externalCgroups(dest)...)
		}
	}
	if (c.ns.has(unix.CLONE_NEWUSER) || facts.InUserNamespace) && c.setsUpDev() {
		for _, d := range c.deviceList() {
			list = append(list, ExternalMount{d.path, d.path})
		}
	}
	return list
}

// externalCgroups are those that are bound because the container has no
// cgroup namespace to mount them in.
func (c *compiler) externalCgroups(dest string) []ExternalMount {
	switch {
	case c.facts.CgroupV2 && c.sharesCgroups():
		return []ExternalMount{{dest, hostsCgroups}}
	case c.ns.has(unix.CLONE_NEWCGROUP):
		return nil
	}
	var list []ExternalMount
	for _, h := range c.facts.Hierarchies {
		list = append(list, ExternalMount{path.Join(dest, path.Base(h.Mountpoint)), c.cgroupPath(h)})
	}
	return list
}

// CheckRestorable refuses a configuration of which a part would be lost: the
// restorer binds a source as it is, whatever it is linked to by then.
func CheckRestorable(s *specs.Spec) error {
	for i := range s.Mounts {
		m := &s.Mounts[i]
		o := parseMountOptions(m.Options)
		switch {
		case o.idmap || o.ridmap || o.idmapOption != "" || len(m.UIDMappings) > 0 || len(m.GIDMappings) > 0:
			return &SpecError{"mounts: " + m.Destination, mountsSection, "criu cannot restore an idmapped mount"}
		case o.sourceNoFollow:
			return &SpecError{"mounts: " + m.Destination, mountsSection, "criu cannot restore a mount with src-nofollow or copy-symlink"}
		}
	}
	return nil
}
