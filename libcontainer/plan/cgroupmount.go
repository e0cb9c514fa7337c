package plan

import (
	"path"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// hostsCgroups is where the host has the unified hierarchy.
const hostsCgroups = "/sys/fs/cgroup"

// showsCgroups tells whether m is not of a file system that can be mounted as
// it is said: type "cgroup" stands for what the host has, and cgroup2 may be
// mounted anew only where that does not change the host's.
func (c *compiler) showsCgroups(m *specs.Mount) bool {
	return m.Type == "cgroup" || m.Type == "cgroup2" && c.facts.CgroupV2
}

// sharesCgroups tells whether the container is in davit's own cgroup namespace.
func (c *compiler) sharesCgroups() bool {
	return !c.ns.has(unix.CLONE_NEWCGROUP) || c.facts.SharesCgroupNS
}

// cgroupMount shows the container its cgroups: what type "cgroup" means
// depends on how the host has mounted them.
// Spec: config-linux.md#default-filesystems
func (c *compiler) cgroupMount(m *specs.Mount, o *mountOptions, dest string) {
	if c.facts.CgroupV2 {
		c.cgroup2Mount(m, o, dest)
		return
	}
	c.cgroup1Mounts(o, dest)
}

// cgroup2Mount mounts the unified hierarchy, or binds the host's where the
// container has no cgroup namespace but davit's: a user namespace may not mount
// it then, and in the host's cgroup namespace a new mount would replace the
// options that the host has given to the hierarchy, such as nsdelegate.
//
// Linux: cgroup2's options are those of the one hierarchy, and set by each
// mount in the first cgroup namespace (apply_cgroup_root_flags).
func (c *compiler) cgroup2Mount(m *specs.Mount, o *mountOptions, dest string) {
	doing := "mounting cgroup2 at " + dest
	if c.sharesCgroups() {
		c.openCgroup2(doing, o)
		c.finishMount(doing, o, dest, 0)
		return
	}
	plain := *m
	plain.Type = "cgroup2"
	c.newFS(&plain, o, dest)
}

// openCgroup2 has the stage hold the host's.
// CVE-2023-25809: without privilege and cgroup namespace it is read-only.
func (c *compiler) openCgroup2(doing string, o *mountOptions) {
	c.do(doing, OpOpenTree, str(hostsCgroups), num(uint64(unix.AT_RECURSIVE)))
	set := o.set
	if !c.facts.Privileged {
		set |= unix.MOUNT_ATTR_RDONLY
	}
	c.do(doing, OpSetAttr, num(set), num(0), num(0), num(0), num(0))
}

// cgroup1Mounts makes a tmpfs with one mount in it for each hierarchy: the
// hierarchy itself in a cgroup namespace, else the container's own cgroup.
func (c *compiler) cgroup1Mounts(o *mountOptions, dest string) {
	attrs := uint64(unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV)
	doing := "mounting the cgroups at " + dest
	c.do(doing, OpNewFS, str("tmpfs"), str("tmpfs"), list([]string{"mode=755"}), num(attrs), str(""))
	c.finishMount(doing, o, dest, 0)
	readonly := o.set & unix.MOUNT_ATTR_RDONLY
	for _, h := range c.facts.Hierarchies {
		c.cgroup1Mount(h, o, path.Join(dest, path.Base(h.Mountpoint)), attrs|readonly)
	}
	for _, h := range c.facts.Hierarchies {
		name := path.Base(h.Mountpoint)
		for _, controller := range strings.Split(name, ",") {
			if controller != name {
				c.do("linking "+controller, OpLink, str(name), str(path.Join(dest, controller)), num(0))
			}
		}
	}
	if readonly != 0 {
		c.do("making "+dest+" read-only", OpSetAttrAt, str(dest), num(readonly), num(0), num(0), num(0))
	}
}

func (c *compiler) cgroup1Mount(h Hierarchy, o *mountOptions, dest string, attrs uint64) {
	doing := "mounting the cgroup hierarchy " + strings.Join(h.Controllers, ",") + " at " + dest
	if c.ns.has(unix.CLONE_NEWCGROUP) {
		c.do(doing, OpNewFS, str("cgroup"), str("cgroup"), list(hierarchyOptions(h)), num(attrs), str(""))
	} else {
		c.do(doing, OpOpenTree, str(c.cgroupPath(h)), num(uint64(unix.AT_RECURSIVE)))
		c.do(doing, OpSetAttr, num(attrs), num(0), num(0), num(0), num(0))
	}
	c.finishMount(doing, &mountOptions{propagation: o.propagation}, dest, 0)
}

// hierarchyOptions are the mount options that name a hierarchy.
func hierarchyOptions(h Hierarchy) []string {
	for _, controller := range h.Controllers {
		if strings.HasPrefix(controller, "name=") {
			return []string{"none", controller}
		}
	}
	return h.Controllers
}

// cgroupPath is the host's directory of the container's cgroup in a hierarchy.
func (c *compiler) cgroupPath(h Hierarchy) string {
	for _, controller := range h.Controllers {
		if p, ok := c.opts.CgroupPaths[controller]; ok {
			return p
		}
	}
	return h.Mountpoint
}
