package config

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// DefaultShm is the size of /dev/shm in bytes.
const DefaultShm = 64 << 20

// mounts are the kernel's file systems, then the options' mounts, those nearer to
// the root first, so that none hides another.
func (m *maker) mounts() error {
	mounts := slices.DeleteFunc(m.defaultMounts(), func(x specs.Mount) bool {
		return m.o.NoShm && x.Destination == "/dev/shm" || m.facts.NoMqueue && x.Source == "/dev/mqueue"
	})
	added := slices.Clone(m.o.Mounts)
	for i := range added {
		dest, err := destination(added[i].Destination)
		if err != nil {
			return err
		}
		added[i].Destination = dest
		mounts = slices.DeleteFunc(mounts, func(x specs.Mount) bool { return x.Destination == dest })
		if slices.ContainsFunc(added[:i], func(x specs.Mount) bool { return x.Destination == dest }) {
			return fmt.Errorf("mount on %s: it is there twice", dest)
		}
	}
	slices.SortStableFunc(added, func(a, b specs.Mount) int { return depth(a.Destination) - depth(b.Destination) })
	m.gen.Config.Mounts = append(mounts, added...)
	return nil
}

// destination is a mount's place, absolute and clean.
func destination(dest string) (string, error) {
	switch {
	case strings.ContainsRune(dest, 0):
		return "", fmt.Errorf("mount on %q: it has a NUL byte", dest)
	case !path.IsAbs(dest):
		return "", fmt.Errorf("mount on %q: it needs to be an absolute path", dest)
	}
	clean := path.Clean(dest)
	if clean == "/" {
		return "", fmt.Errorf("mount on %q: the destination can't be '/'", dest)
	}
	return clean, nil
}

// depth is how many directories down a path is.
func depth(path string) int { return strings.Count(path, "/") }

// defaultMounts are the file systems of the kernel, and /dev.
func (m *maker) defaultMounts() []specs.Mount {
	mount := func(dest, kind, source string, options ...string) specs.Mount {
		return specs.Mount{Destination: dest, Type: kind, Source: source, Options: options}
	}
	return []specs.Mount{
		m.proc(),
		mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
		m.pts(),
		m.sys(),
		mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", m.writable()),
		m.mqueue(),
		m.shm(),
	}
}

// writable is how /sys and cgroups are mounted.
func (m *maker) writable() string {
	if m.o.Privileged {
		return "rw"
	}
	return "ro"
}

// rbind is a directory of the host's with all that is mounted below.
func rbind(dir string, options ...string) specs.Mount {
	return specs.Mount{Destination: dir, Type: "bind", Source: dir, Options: append([]string{"rbind", "nosuid", "noexec", "nodev"}, options...)}
}

// proc is that of the container's pid namespace. A user namespace cannot mount
// that of a pid namespace which is not its own.
func (m *maker) proc() specs.Mount {
	if m.shared(specs.PIDNamespace) && m.inUserNamespace() {
		return rbind("/proc")
	}
	return specs.Mount{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}}
}

// sys shows the container's network namespace. A user namespace cannot mount
// that of a network namespace which is not its own.
func (m *maker) sys() specs.Mount {
	if m.shared(specs.NetworkNamespace) && m.inUserNamespace() {
		return rbind("/sys", m.writable())
	}
	return specs.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", m.writable()}}
}

// pts has the container's terminals, of the group tty where there is one.
func (m *maker) pts() specs.Mount {
	const tty = 5
	options := []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}
	if m.mapped(tty) {
		options = append(options, "gid="+strconv.Itoa(tty))
	}
	return specs.Mount{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: options}
}

// mqueue has the message queues of the ipc namespace.
func (m *maker) mqueue() specs.Mount {
	if m.shared(specs.IPCNamespace) && m.inUserNamespace() {
		return rbind("/dev/mqueue")
	}
	return specs.Mount{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}}
}

// shm is memory that processes share: the host's with its ipc namespace.
func (m *maker) shm() specs.Mount {
	if m.o.Namespaces[specs.IPCNamespace].Host {
		return rbind("/dev/shm")
	}
	size := m.o.ShmSize
	if size == 0 {
		size = DefaultShm
	}
	return specs.Mount{Destination: "/dev/shm", Type: "tmpfs", Source: "shm",
		Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=" + strconv.FormatInt(size, 10)}}
}
