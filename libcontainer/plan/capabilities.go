package plan

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// capabilityNames has the kernel's names, by number.
var capabilityNames = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
	"CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
	"CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
	"CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
	"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
	"CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
}

// CapabilityNames lists the capabilities by number, as far as the kernel has them.
func CapabilityNames(last int) []string {
	return capabilityNames[:min(last+1, len(capabilityNames))]
}

func capabilityNumber(name string) int {
	for i, n := range capabilityNames {
		if n == name {
			return i
		}
	}
	return -1
}

// capabilities limits the process's sets. Until a filter that needs the right
// to be loaded is there, CAP_SYS_ADMIN stays among the permitted; exec
// computes the program's sets anew, from the bounding, inheritable and
// ambient sets alone.
// Spec: config.md#linux-process (capabilities)
func (c *compiler) capabilities(p *specs.Process) error {
	effective := c.capabilitySet(p, func(s *specs.LinuxCapabilities) []string { return s.Effective })
	permitted := c.capabilitySet(p, func(s *specs.LinuxCapabilities) []string { return s.Permitted })
	inheritable := c.capabilitySet(p, func(s *specs.LinuxCapabilities) []string { return s.Inheritable })
	ambient := c.capabilitySet(p, func(s *specs.LinuxCapabilities) []string { return s.Ambient })
	if len(c.opts.Seccomp.Program) > 0 && !p.NoNewPrivileges {
		effective |= 1 << unix.CAP_SYS_ADMIN
		permitted |= 1 << unix.CAP_SYS_ADMIN
	}
	effective &= permitted
	ambient &= permitted & inheritable
	c.do("setting the capabilities", OpCapabilities, num(effective), num(permitted), num(inheritable), num(ambient))
	return nil
}

// capabilitySet is one of the configuration's sets as bits. What cannot be
// granted is left out with a warning; of names that are none, package spec warns.
// Spec: config.md#linux-process: unmappable capabilities SHOULD be a warning.
func (c *compiler) capabilitySet(p *specs.Process, of func(*specs.LinuxCapabilities) []string) uint64 {
	if p.Capabilities == nil {
		return 0
	}
	var bits uint64
	for _, name := range of(p.Capabilities) {
		n := capabilityNumber(name)
		switch {
		case n < 0:
		case n > c.facts.LastCapability:
			c.warn("process.capabilities: %s is not known to this kernel and is ignored", name)
		case c.grantable()&(1<<n) == 0:
			c.warn("process.capabilities: %s is not held by davit and cannot be granted", name)
		default:
			bits |= 1 << n
		}
	}
	return bits
}

// grantable is all in a user namespace of the container's own.
func (c *compiler) grantable() uint64 {
	if c.ns.has(unix.CLONE_NEWUSER) {
		return ^uint64(0)
	}
	return c.facts.Capabilities
}
