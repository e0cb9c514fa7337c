package plan

import (
	"path"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const mountsSection = "config.md#mounts"

// mounts makes the list of mounts, in its order.
// Spec: config.md#mounts
func (c *compiler) mounts() error {
	if MountsOnHost(c.spec) && c.ns.has(unix.CLONE_NEWUSER) {
		if len(c.spec.Mounts) == 0 {
			return &SpecError{"root.readonly", "config.md#root", "in a user namespace it needs a mount namespace"}
		}
		return &SpecError{"mounts", mountsSection, "mounts in a user namespace need a mount namespace"}
	}
	for i := range c.spec.Mounts {
		if err := c.mount(&c.spec.Mounts[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) mount(m *specs.Mount) error {
	o := parseMountOptions(m.Options)
	dest := c.dest(m.Destination)
	if err := checkDest(m, dest); err != nil {
		return err
	}
	switch {
	case isBind(m, &o):
		return c.bind(m, &o, dest)
	case o.remount:
		c.remount(&o, dest)
	case c.showsCgroups(m):
		c.cgroupMount(m, &o, dest)
	case c.foreign(m.Type):
		return c.bindForeign(m, &o, dest)
	default:
		if err := c.checkOwner(m); err != nil {
			return err
		}
		c.newFS(m, &o, dest)
	}
	return nil
}

// checkDest refuses to mount over parts of proc.
func checkDest(m *specs.Mount, dest string) error {
	if strings.HasPrefix(dest, "/proc/") && !lxcfsFile(dest) {
		return &SpecError{"mounts: " + m.Destination, mountsSection, strconv.Quote(dest) + " cannot be mounted because it is inside /proc"}
	}
	return nil
}

// dest is the destination as an absolute path within the root. A relative
// one counts from the root; one that begins with the root file system's own
// path on the host is understood as well.
func (c *compiler) dest(destination string) string {
	clean := path.Clean("/" + destination)
	if clean == c.opts.Rootfs {
		return "/"
	}
	if below, found := strings.CutPrefix(clean, c.opts.Rootfs+"/"); found && c.opts.Rootfs != "/" {
		return "/" + below
	}
	return clean
}

// newFS mounts a new file system: proc, tmpfs, devpts and the like.
func (c *compiler) newFS(m *specs.Mount, o *mountOptions, dest string) {
	c.createFS(m, o, dest)
	c.placeFS(m, o, dest)
}

// createFS has the stage hold the new file system.
func (c *compiler) createFS(m *specs.Mount, o *mountOptions, dest string) {
	doing := "mounting " + m.Type + " at " + dest
	late := c.readonlyLate(m.Type, o, dest)
	attrs := o.set &^ late
	options := o.super
	if attrs&unix.MOUNT_ATTR_RDONLY != 0 && !sharesSuperblock(m.Type) {
		options = append(options, "ro")
	}
	options = append(options, splitData(o.data)...)
	if label := c.mountLabel(m.Type); label != "" {
		options = append(options, "context="+label)
	}
	inherit := ""
	if m.Type == "tmpfs" && !hasKey(options, "mode") {
		inherit = dest
	}
	source := m.Source
	if source == "" {
		source = m.Type
	}
	if m.Type == "overlay" && c.facts.OverlayAppends {
		options = appendLayers(options)
	}
	if slices.ContainsFunc(options, tooLong) {
		flags, data := classicOptions(options)
		c.do(doing, OpMountFS, str(m.Type), str(source), num(flags), str(data), num(attrs))
		return
	}
	c.do(doing, OpNewFS, str(m.Type), str(source), list(options), num(attrs), str(inherit))
}

// placeFS fills the file system in hand and puts it at its destination.
func (c *compiler) placeFS(m *specs.Mount, o *mountOptions, dest string) {
	doing := "mounting " + m.Type + " at " + dest
	if o.copyUp {
		c.do("copying "+dest+" into its tmpfs", OpCopyUp, str(dest))
	}
	c.finishMount(doing, o, dest, attachFlags(m.Type, o, dest))
	if m.Type == "mqueue" && c.spec.Linux.MountLabel != "" && c.facts.SELinux {
		c.do("labelling "+dest, OpLabel, str(dest), str(c.spec.Linux.MountLabel))
	}
}

// sharesSuperblock tells whether others may see the same file system: only
// the mount is to be read-only then.
func sharesSuperblock(fstype string) bool {
	switch fstype {
	case "proc", "sysfs", "cgroup", "cgroup2", "mqueue":
		return true
	}
	return false
}

// splitData separates options that came joined by commas.
func splitData(data []string) []string {
	var options []string
	for _, d := range data {
		options = append(options, strings.Split(d, ",")...)
	}
	return options
}

func hasKey(options []string, key string) bool {
	for _, o := range options {
		if strings.HasPrefix(o, key+"=") {
			return true
		}
	}
	return false
}

// mountLabel is the SELinux context with which a file system is mounted.
// Spec: config-linux.md#mount-label
func (c *compiler) mountLabel(fstype string) string {
	if fstype == "proc" || fstype == "sysfs" || fstype == "mqueue" || !c.facts.SELinux {
		return ""
	}
	return c.spec.Linux.MountLabel
}

// readonlyLate is the read-only attribute where it must wait until nothing
// more is to be written below the mount point.
func (c *compiler) readonlyLate(fstype string, o *mountOptions, dest string) uint64 {
	if fstype == "tmpfs" || dest == "/dev" {
		return o.set & unix.MOUNT_ATTR_RDONLY
	}
	return 0
}

// readonlyMounts makes read-only what was left writable for the set-up.
func (c *compiler) readonlyMounts() error {
	for i := range c.spec.Mounts {
		m := &c.spec.Mounts[i]
		o := parseMountOptions(m.Options)
		dest := c.dest(m.Destination)
		if c.readonlyLate(m.Type, &o, dest) != 0 {
			c.do("making "+dest+" read-only", OpSetAttrAt, str(dest), num(uint64(unix.MOUNT_ATTR_RDONLY)), num(0), num(0), num(0))
		}
	}
	if c.spec.Root != nil && c.spec.Root.Readonly && c.rootMode() != rootOpen {
		c.do("making the root file system read-only", OpSetAttrAt, str("/"), num(uint64(unix.MOUNT_ATTR_RDONLY)), num(0), num(0), num(0))
	}
	return nil
}

// attachFlags keeps proc and sysfs to plain directories, anything but proc
// from /proc, and everything out of proc except where lxcfs puts files.
// CVE-2019-19921, CVE-2023-27561: /proc or /sys is a symbolic link.
func attachFlags(fstype string, o *mountOptions, dest string) uint64 {
	var flags uint64
	if fstype == "proc" || fstype == "sysfs" || o.destNoFollow {
		flags |= AttachPlain
	}
	if dest == "/proc" {
		flags |= AttachOnlyProc
	}
	if lxcfsFile(dest) {
		flags |= AttachOnProc
	}
	return flags
}

func lxcfsFile(dest string) bool {
	switch dest {
	case "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps",
		"/proc/uptime", "/proc/loadavg", "/proc/slabinfo", "/proc/sys/kernel/ns_last_pid",
		"/proc/sys/crypto/fips_enabled":
		return true
	}
	return false
}

// finishMount sets the propagation of the mount that the stage has in hand
// and puts it at its destination.
func (c *compiler) finishMount(doing string, o *mountOptions, dest string, flags uint64) {
	if o.recSet != 0 || o.recClr != 0 {
		c.do(doing, OpSetAttr, num(o.recSet), num(o.recClr), num(0), num(0), num(AttrRecursive))
	}
	c.do(doing, OpAttach, str(dest), num(flags))
	for _, p := range o.propagation {
		c.do("setting the propagation of "+dest, OpSetAttr, num(0), num(0), num(0), num(p&^unix.MS_REC), recursive(p))
	}
}

// recursive turns MS_REC into the stage's flag.
func recursive(flags uint64) Value { return truth(flags&unix.MS_REC != 0) }

// remount changes an existing mount.
func (c *compiler) remount(o *mountOptions, dest string) {
	doing := "remounting " + dest
	if options := append(o.super, splitData(o.data)...); len(options) > 0 {
		c.do(doing, OpReconfigure, str(dest), list(options))
	}
	c.do(doing, OpSetAttrAt, str(dest), num(o.set), num(o.clear), num(0), num(0))
	for _, p := range o.propagation {
		c.do(doing, OpSetAttrAt, str(dest), num(0), num(0), num(p&^unix.MS_REC), recursive(p))
	}
}
