package spec

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// crun begins the names of crun's annotations.
const crun = "run.oci."

// refusedAnnotations are those of crun's by which it makes another container, or
// reaches what is outside of it, and which are not honoured here: whoever
// sets one shall not get a container without it.
var refusedAnnotations = [...]struct{ name, reason string }{
	{"handler", "davit executes programs itself, and has no handlers"},
	{"seccomp_bpf_data", "davit takes seccomp filters from linux.seccomp only"},
	{"seccomp.plugins", "a filter's listener goes to linux.seccomp.listenerPath"},
	{"seccomp.receiver", "a filter's listener goes to linux.seccomp.listenerPath"},
	{"pidfd_receiver", "--pidfd-socket names who gets the pidfd"},
	{"delegate-cgroup", "davit makes no cgroup below the container's"},
	{"systemd.force_cgroup_v1", "davit mounts the hierarchies that the host has"},
}

// hookOutput are annotations that matter where there are hooks.
var hookOutput = [...]string{"hooks.stdout", "hooks.stderr"}

func checkAnnotations(s *specs.Spec) *Error {
	if _, ok := s.Annotations[""]; ok {
		return refuse("annotations", "a key must not be an empty string")
	}
	for _, a := range refusedAnnotations {
		if s.Annotations[crun+a.name] != "" {
			return refuse("annotations", fmt.Sprintf("%s%s is not supported: %s", crun, a.name, a.reason))
		}
	}
	for _, name := range hookOutput {
		if s.Annotations[crun+name] != "" && s.Hooks != nil {
			return refuse("annotations", fmt.Sprintf("%s%s is not supported: what a hook prints is in the error when it fails", crun, name))
		}
	}
	return nil
}
