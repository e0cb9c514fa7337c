package plan

import (
	"fmt"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// owned tells whether the container is in a user namespace that is not the
// host's first one: what belongs to that is out of its reach.
func (c *compiler) owned() bool {
	return c.ns.has(unix.CLONE_NEWUSER) || c.facts.InUserNamespace
}

// checkRights refuses what takes rights that a user without any has only in a
// user namespace of his own.
func (c *compiler) checkRights() error {
	if c.facts.Privileged || c.ns.has(unix.CLONE_NEWUSER) || c.facts.Capabilities&(1<<unix.CAP_SYS_ADMIN) != 0 {
		return nil
	}
	// Compat(runc): its text.
	return &SpecError{"linux.namespaces", "config-linux.md#namespaces",
		"rootless container requires user namespaces, where davit has no CAP_SYS_ADMIN [davit spec --rootless]"}
}

// foreign tells of a file system that shows a namespace which the container
// shares with the host, and which its user namespace may therefore not mount.
func (c *compiler) foreign(fstype string) bool {
	var shows uint64
	switch fstype {
	case "proc":
		shows = unix.CLONE_NEWPID
	case "sysfs":
		shows = unix.CLONE_NEWNET
	case "mqueue":
		shows = unix.CLONE_NEWIPC
	default:
		return false
	}
	return c.owned() && !c.ns.has(shows)
}

// hostsOwn is where the host has these file systems.
var hostsOwn = map[string]string{"proc": "/proc", "sysfs": "/sys", "mqueue": "/dev/mqueue"}

// bindForeign binds the host's own in its place, which shows the same. What
// is mounted below comes along, for the kernel does not let it be uncovered;
// read-only is meant for all of it.
func (c *compiler) bindForeign(m *specs.Mount, o *mountOptions, dest string) error {
	bound := specs.Mount{Source: hostsOwn[m.Type], Destination: m.Destination}
	all := mountOptions{
		bind: true, recursive: true, destNoFollow: true, propagation: o.propagation,
		recSet: o.recSet | o.set&^attrATime, recClr: o.recClr,
	}
	return c.bind(&bound, &all, dest)
}

// checkOwner refuses an owner of a file system that has no id on the host,
// which the kernel would call an invalid argument.
func (c *compiler) checkOwner(m *specs.Mount) error {
	if !c.mapsItself() {
		return nil
	}
	for _, option := range splitData(m.Options) {
		key, value, _ := strings.Cut(option, "=")
		ids := map[string][]specs.LinuxIDMapping{"uid": c.spec.Linux.UIDMappings, "gid": c.spec.Linux.GIDMappings}[key]
		id, err := strconv.ParseUint(value, 10, 32)
		if ids == nil || err != nil {
			continue
		}
		if _, mapped := hostID(ids, uint32(id)); !mapped {
			// Compat(runc): its text.
			return &SpecError{"mounts: " + m.Destination, mountsSection,
				fmt.Sprintf("cannot specify %s mount option for rootless container: no mapping found for %s %d", option, key, id)}
		}
	}
	return nil
}
