package libcontainer

import (
	"os"
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"

	"github.com/davit-containers/davit/libcontainer/criu"
	"github.com/davit-containers/davit/libcontainer/host"
	"github.com/davit-containers/davit/libcontainer/plan"
	"github.com/davit-containers/davit/libcontainer/seccomp"
	"github.com/davit-containers/davit/libcontainer/seccomp/compile"
)

// oldestSpec is the oldest specification whose configurations davit takes.
const oldestSpec = "1.0.0"

// lastCapability is the highest number that a set of capabilities has room for.
const lastCapability = 63

// Features are what libcontainer can do, as engines read it before they write a
// config.json. What depends on the host is said of this one.
// Spec: features.md
func Features() *features.Features {
	return &features.Features{
		OCIVersionMin: oldestSpec,
		OCIVersionMax: specs.Version,
		Hooks: []string{
			"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
		},
		MountOptions:                       slices.Sorted(slices.Values(plan.MountOptions())),
		Linux:                              linuxFeatures(),
		Annotations:                        buildAnnotations(),
		PotentiallyUnsafeConfigAnnotations: unsafeAnnotations(),
	}
}

// linuxFeatures is what davit can do on Linux.
// Spec: features-linux.md
func linuxFeatures() *features.Linux {
	return &features.Linux{
		Namespaces:      []string{"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"},
		Capabilities:    plan.CapabilityNames(lastCapability),
		Cgroup:          &features.Cgroup{V1: yes(), V2: yes(), Systemd: yes(), SystemdUser: yes(), Rdma: yes()},
		Seccomp:         seccompFeatures(),
		Apparmor:        &features.Apparmor{Enabled: yes()},
		Selinux:         &features.Selinux{Enabled: yes()},
		IntelRdt:        &features.IntelRdt{Enabled: yes(), Schemata: yes(), Monitoring: yes()},
		MemoryPolicy:    memoryFeatures(),
		MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: yes()}},
		NetDevices:      &features.NetDevices{Enabled: yes()},
	}
}

// seccompFeatures is what filters may say. Only which flags are supported
// depends on the running kernel.
func seccompFeatures() *features.Seccomp {
	return &features.Seccomp{
		Enabled:        yes(),
		Actions:        seccomp.Actions(),
		Operators:      seccomp.Operators(),
		Archs:          archs(),
		KnownFlags:     seccomp.Flags(),
		SupportedFlags: compile.SupportedFlags(),
	}
}

// archs are the architectures that the compiler in this build knows.
func archs() []string {
	version, err := compile.Version()
	if err != nil {
		return nil
	}
	return seccomp.ArchsOf(version)
}

// memoryFeatures is what a NUMA memory policy may say.
func memoryFeatures() *features.MemoryPolicy {
	return &features.MemoryPolicy{
		Modes: names(specs.MpolBind, specs.MpolDefault, specs.MpolInterleave, specs.MpolLocal,
			specs.MpolPreferred, specs.MpolPreferredMany, specs.MpolWeightedInterleave),
		Flags: names(specs.MpolFNumaBalancing, specs.MpolFRelativeNodes, specs.MpolFStaticNodes),
	}
}

// buildAnnotations tell this build from another.
func buildAnnotations() map[string]string {
	annotations := map[string]string{"io.github.davit-containers.davit.version": Version}
	if c := Commit(); c != "" {
		annotations["io.github.davit-containers.davit.commit"] = c
	}
	if v, err := compile.Version(); err == nil {
		annotations["io.github.seccomp.libseccomp.version"] = v
	}
	annotations["io.github.davit-containers.davit.checkpoint.enabled"] = strconv.FormatBool(checkpoints())
	return annotations
}

// checkpoints tells whether there is a criu that is new enough and works on
// this kernel, and whether the caller has the rights for it.
func checkpoints() bool {
	path, err := criu.Find()
	if err != nil || os.Geteuid() != 0 || host.InUserNS() {
		return false
	}
	session, err := criu.Start(path)
	if err != nil {
		return false
	}
	defer session.Close()
	if _, err := session.Version(); err != nil {
		return false
	}
	_, err = session.Features()
	return err == nil
}

// unsafeAnnotations are the annotations of a config.json by which its author
// gets more than its other fields give; an engine must not let users set them.
// One with a dot at its end stands for all that begin with it.
func unsafeAnnotations() []string {
	return []string{"org.criu.config", "org.systemd.property.", "run.oci.keep_original_groups", "run.oci.seccomp_fail_unknown_syscall"}
}

// yes is true as the features structure wants it, where nil is "unknown".
func yes() *bool {
	t := true
	return &t
}

// names turns constants of a type of the specification into strings.
func names[T ~string](values ...T) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = string(v)
	}
	return list
}
