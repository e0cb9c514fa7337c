package spec

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// SysctlPath is the path below /proc/sys of a kernel parameter. The first of
// "." and "/" in a key is its separator, and the other one then stands for
// itself swapped: "net.ipv4.conf.eno2/100.rp_filter" and
// "net/ipv4/conf/eno2.100/rp_filter" are the same, the second being the path.
//
// Spec: config-linux.md#sysctl (sysctl(8))
func SysctlPath(key string) string {
	first := strings.IndexAny(key, "./")
	if first < 0 || key[first] == '/' {
		return key
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}, key)
}

// checkSysctl lets only those parameters through that a namespace of the
// container has for its own. Whether a network namespace that is joined is
// the host's is seen on the host.
func checkSysctl(s *specs.Spec) *Error {
	values := linux(s).Sysctl
	if len(values) == 0 {
		return nil
	}
	for _, key := range sortedKeys(values) {
		reason := sysctlRefusal(s, SysctlPath(key))
		if reason == "" && hasNUL(key+values[key]) {
			reason = reasonNUL
		}
		if reason != "" {
			return refuse(keyed("linux.sysctl", key), reason)
		}
	}
	return nil
}

func sysctlRefusal(s *specs.Spec, path string) string {
	for name := range strings.SplitSeq(path, "/") {
		if name == "." || name == ".." {
			return "must not leave its folder"
		}
	}
	kind, found := sysctlNamespace(path)
	_, private := Namespace(s, kind)
	switch {
	case !found || !private && kind == specs.UTSNamespace:
		return "is not in a separate kernel namespace"
	case private && path == "kernel/hostname":
		return `is not allowed as it conflicts with the OCI "hostname" field`
	case private:
		return ""
	case kind == specs.UserNamespace:
		return "setting ucounts without a user namespace not allowed"
	}
	return "is not allowed in the host's " + string(kind) + " namespace"
}

// sysctlNamespace is the kind of namespace that a parameter belongs to.
func sysctlNamespace(path string) (kind specs.LinuxNamespaceType, found bool) {
	switch path {
	case "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shmall", "kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced":
		return specs.IPCNamespace, true
	case "kernel/hostname", "kernel/domainname":
		return specs.UTSNamespace, true
	}
	switch top, _, _ := strings.Cut(path, "/"); {
	case strings.HasPrefix(path, "fs/mqueue/"):
		return specs.IPCNamespace, true
	case top == path:
		return "", false
	case top == "net":
		return specs.NetworkNamespace, true
	case top == "user":
		return specs.UserNamespace, true
	}
	return "", false
}
