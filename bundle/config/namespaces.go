package config

import (
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// ownNamespaces are those that a container has of its own by default.
var ownNamespaces = []specs.LinuxNamespaceType{
	specs.PIDNamespace, specs.NetworkNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.MountNamespace,
}

// namespaces are the container's own, and those that it joins. A cgroup namespace
// is its own where cgroup v2 is alone, as it hides the host's cgroups there.
func (m *maker) namespaces() error {
	kinds := append([]specs.LinuxNamespaceType{}, ownNamespaces...)
	if m.facts.Cgroup2 || m.chosen(specs.CgroupNamespace) {
		kinds = append(kinds, specs.CgroupNamespace)
	}
	if m.inUserNamespace() {
		kinds = append(kinds, specs.UserNamespace)
	}
	if m.o.Namespaces[specs.MountNamespace].Host {
		return fmt.Errorf("mount namespace: a container has its own")
	}
	for _, kind := range kinds {
		ns := m.o.Namespaces[kind]
		if ns.Host {
			continue
		}
		m.gen.Config.Linux.Namespaces = append(m.gen.Config.Linux.Namespaces, specs.LinuxNamespace{Type: kind, Path: ns.Path})
	}
	m.gen.Config.Linux.UIDMappings, m.gen.Config.Linux.GIDMappings = m.o.UIDMappings, m.o.GIDMappings
	return nil
}

// chosen tells whether the options speak of a namespace.
func (m *maker) chosen(kind specs.LinuxNamespaceType) bool {
	_, ok := m.o.Namespaces[kind]
	return ok
}

// shared tells whether the container uses a namespace of somebody else's.
func (m *maker) shared(kind specs.LinuxNamespaceType) bool {
	ns := m.o.Namespaces[kind]
	return ns.Host || ns.Path != ""
}

// inUserNamespace tells whether the container has a user namespace.
func (m *maker) inUserNamespace() bool {
	return len(m.o.UIDMappings) > 0 || m.o.Namespaces[specs.UserNamespace].Path != ""
}

// mapped tells whether a group of the container's is one outside.
func (m *maker) mapped(gid uint32) bool {
	if len(m.o.GIDMappings) == 0 {
		return true
	}
	for _, r := range m.o.GIDMappings {
		if gid >= r.ContainerID && gid-r.ContainerID < r.Size {
			return true
		}
	}
	return false
}

// sysctls are settings of the kernel. Only those of namespaces that the container
// has of its own may be set: others are the host's.
// CVE-2022-0811: a value with more in it.
func (m *maker) sysctls() error {
	for name, value := range m.defaultSysctls() {
		if _, set := m.o.Sysctl[name]; !set {
			m.gen.AddLinuxSysctl(name, value)
		}
	}
	for name, value := range m.o.Sysctl {
		kind, ok := sysctlNamespace(name)
		switch {
		case !ok:
			return fmt.Errorf("sysctl %q: it is not of a namespace, and would be the host's", name)
		case m.o.Namespaces[kind].Host:
			return fmt.Errorf("sysctl %q: the %s namespace is the host's", name, kind)
		case strings.ContainsAny(value, "\n\x00"):
			return fmt.Errorf("sysctl %q: its value %q is not one line", name, value)
		}
		m.gen.AddLinuxSysctl(name, value)
	}
	return nil
}

// defaultSysctls let every user of the container have low ports and ping.
// Compat(moby): its default for networks of a container's own. A user namespace, the
// container's or one that it is made in, lacks most of these groups.
func (m *maker) defaultSysctls() map[string]string {
	if m.shared(specs.NetworkNamespace) || m.inUserNamespace() || m.o.Rootless {
		return nil
	}
	return map[string]string{"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}
}

// sysctlNamespace is the namespace that a setting belongs to.
func sysctlNamespace(name string) (specs.LinuxNamespaceType, bool) {
	if strings.Contains(name, "..") || strings.ContainsAny(name, "/\x00\n+= ") {
		return "", false
	}
	switch name {
	case "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
		"kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced":
		return specs.IPCNamespace, true
	case "kernel.domainname", "kernel.hostname":
		return specs.UTSNamespace, true
	}
	switch {
	case strings.HasPrefix(name, "net."):
		return specs.NetworkNamespace, true
	case strings.HasPrefix(name, "fs.mqueue."):
		return specs.IPCNamespace, true
	}
	return "", false
}
