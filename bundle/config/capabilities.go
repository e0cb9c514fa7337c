package config

import (
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// capabilityNames are Linux's capabilities by number, without CAP_.
// Source: capabilities(7), include/uapi/linux/capability.h.
const capabilityNames = `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
 NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE
 SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL
 SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`

// defaultCapabilities are those that a container has.
// Compat(moby): its default.
const defaultCapabilities = `CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW
 SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP`

// allCapabilities stands for every capability of the kernel's.
const allCapabilities = "ALL"

// capabilities are what the process may have. None is inheritable: a program
// with inheritable file capabilities would get it.
// CVE-2022-24769, CVE-2022-29162.
func (m *maker) capabilities() error {
	set, err := m.capabilitySet()
	if err != nil {
		return err
	}
	m.gen.Config.Process.Capabilities = &specs.LinuxCapabilities{
		Bounding: set, Permitted: slices.Clone(set), Effective: slices.Clone(set),
	}
	return nil
}

// capabilitySet is the default, or all, without those that are dropped and with
// those that are added. Dropping all leaves what is added; adding all leaves
// out what is dropped.
// Compat(moby): which of the two wins.
func (m *maker) capabilitySet() ([]string, error) {
	all := m.kernelCapabilities()
	add, err := normalized("adding", m.o.CapAdd)
	if err != nil {
		return nil, err
	}
	drop, err := normalized("dropping", m.o.CapDrop)
	if err != nil {
		return nil, err
	}
	has := func(list []string, name string) bool { return slices.Contains(list, name) }
	base := strings.Fields(defaultCapabilities)
	return slices.DeleteFunc(all, func(name string) bool {
		short := strings.TrimPrefix(name, "CAP_")
		switch {
		case m.o.Privileged:
			return false
		case has(add, allCapabilities):
			return has(drop, name)
		case has(add, name):
			return false
		}
		return has(drop, allCapabilities) || has(drop, name) || !has(base, short)
	}), nil
}

// kernelCapabilities are those that the kernel knows.
func (m *maker) kernelCapabilities() []string { return Capabilities(m.facts.LastCapability) }

// Capabilities are those up to the one with the number last, with CAP_.
func Capabilities(last int) []string {
	var all []string
	for number, name := range strings.Fields(capabilityNames) {
		if number <= last {
			all = append(all, "CAP_"+name)
		}
	}
	return all
}

// normalized are capabilities in capitals, with CAP_.
func normalized(doing string, names []string) ([]string, error) {
	var list []string
	for _, name := range names {
		short := strings.TrimPrefix(strings.ToUpper(name), "CAP_")
		switch {
		case short == allCapabilities:
			list = append(list, short)
		case slices.Contains(strings.Fields(capabilityNames), short):
			list = append(list, "CAP_"+short)
		default:
			return nil, fmt.Errorf("%s capability %q: there is none of that name", doing, name)
		}
	}
	return list, nil
}
