package plan

import (
	"path"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// device is a node to create.
type device struct {
	path         string
	kind         uint32 // S_IFCHR and the like
	mode         uint32
	major, minor int64
	uid, gid     uint32
}

// defaultDevices are made in every container, unless its list of devices
// has another at the same path.
// Spec: config-linux.md#default-devices
var defaultDevices = [...]device{
	{"/dev/null", unix.S_IFCHR, 0o666, 1, 3, 0, 0},
	{"/dev/zero", unix.S_IFCHR, 0o666, 1, 5, 0, 0},
	{"/dev/full", unix.S_IFCHR, 0o666, 1, 7, 0, 0},
	{"/dev/random", unix.S_IFCHR, 0o666, 1, 8, 0, 0},
	{"/dev/urandom", unix.S_IFCHR, 0o666, 1, 9, 0, 0},
	{"/dev/tty", unix.S_IFCHR, 0o666, 5, 0, 0, 0},
}

// devLinks are the links that programs expect below /dev.
// Spec: runtime-linux.md#dev-symbolic-links
var devLinks = [...][2]string{
	{"/proc/self/fd", "/dev/fd"},
	{"/proc/self/fd/0", "/dev/stdin"},
	{"/proc/self/fd/1", "/dev/stdout"},
	{"/proc/self/fd/2", "/dev/stderr"},
}

// setsUpDev tells whether /dev is the container's own: not when the
// configuration binds a directory of the host there. Without a mount namespace
// nodes can still be made, but none be bound in their place.
func (c *compiler) setsUpDev() bool {
	for i := range c.spec.Mounts {
		m := &c.spec.Mounts[i]
		if o := parseMountOptions(m.Options); c.dest(m.Destination) == "/dev" && isBind(m, &o) {
			return false
		}
	}
	return c.ns.has(unix.CLONE_NEWNS) || !c.owned() && c.facts.Capabilities&(1<<unix.CAP_MKNOD) != 0
}

// devices creates the nodes and links below /dev.
// Spec: config-linux.md#devices
func (c *compiler) devices() error {
	if !c.setsUpDev() {
		return nil
	}
	for _, d := range c.deviceList() {
		c.device(d)
	}
	// Without a mount namespace it may be the host's, which keeps what it has.
	c.do("linking /dev/ptmx", OpLink, str("pts/ptmx"), str("/dev/ptmx"), truth(c.ns.has(unix.CLONE_NEWNS)))
	for _, l := range devLinks {
		c.do("linking "+l[1], OpLink, str(l[0]), str(l[1]), num(0))
	}
	if c.facts.Kcore {
		c.do("linking /dev/core", OpLink, str("/proc/kcore"), str("/dev/core"), num(0))
	}
	return nil
}

// deviceList is the default devices, and the configuration's in its order.
// /dev/ptmx is never a node: it belongs to the container's own devpts.
func (c *compiler) deviceList() []device {
	var devices []device
	for _, d := range defaultDevices {
		if !c.configures(d.path) {
			devices = append(devices, d)
		}
	}
	for i := range c.spec.Linux.Devices {
		if d := fromSpec(&c.spec.Linux.Devices[i]); path.Clean(d.path) != "/dev/ptmx" {
			devices = append(devices, d)
		}
	}
	return devices
}

func (c *compiler) configures(devPath string) bool {
	for i := range c.spec.Linux.Devices {
		if path.Clean(c.spec.Linux.Devices[i].Path) == devPath {
			return true
		}
	}
	return false
}

func fromSpec(s *specs.LinuxDevice) device {
	d := device{path: s.Path, kind: deviceKind(s.Type), mode: 0o666, major: s.Major, minor: s.Minor}
	if s.FileMode != nil {
		d.mode = uint32(*s.FileMode) & 0o7777
	}
	if s.UID != nil {
		d.uid = *s.UID
	}
	if s.GID != nil {
		d.gid = *s.GID
	}
	return d
}

func deviceKind(t string) uint32 {
	switch t {
	case "b":
		return unix.S_IFBLK
	case "p":
		return unix.S_IFIFO
	default:
		return unix.S_IFCHR
	}
}

// device creates a node; in a user namespace, where no node may be made,
// the host's is bound, through no link of the image's.
// CVE-2026-88265: what is at /dev/null leads elsewhere.
func (c *compiler) device(d device) {
	if c.owned() {
		doing := "binding the device " + d.path
		c.do(doing, OpOpenTree, str(d.path), num(0))
		c.do(doing, OpAttach, str(d.path), num(AttachPlain))
		return
	}
	c.do("creating the device "+d.path, OpDevice, str(d.path), num(d.kind|d.mode),
		num(d.major), num(d.minor), num(d.uid), num(d.gid))
}
