package spec

import (
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// warnCapabilities: what cannot be granted is never an error.
//
// Spec: config.md#linux-process
func warnCapabilities(s *specs.Spec, warn func(field, text string)) {
	if s.Process == nil || s.Process.Capabilities == nil {
		return
	}
	c := s.Process.Capabilities
	if unknown := unknownCapabilities(c); len(unknown) > 0 {
		warn("process.capabilities", "ignoring unknown or unavailable capabilities: "+strings.Join(unknown, " "))
	}
	for _, name := range c.Ambient {
		switch {
		case !knownCapability(name):
		case !slices.Contains(c.Inheritable, name):
			warn("process.capabilities.ambient", "can't raise ambient capability "+name+": it is not inheritable")
		case !slices.Contains(c.Permitted, name):
			warn("process.capabilities.ambient", "can't raise ambient capability "+name+": it is not permitted")
		}
	}
}

// unknownCapabilities lists, in quotes, each unknown name once.
func unknownCapabilities(c *specs.LinuxCapabilities) []string {
	var unknown []string
	for _, set := range [...][]string{c.Bounding, c.Effective, c.Inheritable, c.Permitted, c.Ambient} {
		for _, name := range set {
			if !knownCapability(name) {
				unknown = append(unknown, shown(name))
			}
		}
	}
	slices.Sort(unknown)
	return slices.Compact(unknown)
}

// knownCapability knows the names up to Linux 5.9, after which none came.
func knownCapability(name string) bool {
	switch name {
	case "CAP_AUDIT_CONTROL", "CAP_AUDIT_READ", "CAP_AUDIT_WRITE", "CAP_BLOCK_SUSPEND", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
		"CAP_KILL", "CAP_LEASE", "CAP_LINUX_IMMUTABLE", "CAP_MAC_ADMIN", "CAP_MAC_OVERRIDE", "CAP_MKNOD", "CAP_NET_ADMIN",
		"CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_RAW", "CAP_PERFMON", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP",
		"CAP_SETUID", "CAP_SYSLOG", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_CHROOT", "CAP_SYS_MODULE", "CAP_SYS_NICE",
		"CAP_SYS_PACCT", "CAP_SYS_PTRACE", "CAP_SYS_RAWIO", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_WAKE_ALARM":
		return true
	}
	return false
}
