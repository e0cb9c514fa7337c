package config

import (
	"errors"
	"fmt"
	"reflect"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-tools/generate"

	"github.com/davit-containers/davit/bundle/config/users"
)

// ErrNoCommand is an image that names no program, where nobody else does.
var ErrNoCommand = errors.New("no command specified [the image has none, name one]")

// Result is what an image and options come to.
type Result struct {
	// Spec is the bundle's config.json.
	Spec *specs.Spec
	// Volumes are the directories of the container that the image wants to be
	// volumes, and that no mount of the options covers: clean absolute paths, to
	// be resolved below the root.
	// CVE-2022-23648: such a path led to the host.
	Volumes []string
	// StopSignal is the signal that asks the process to end, "SIGTERM" by default.
	StopSignal string
}

// maker is one configuration that is being made.
type maker struct {
	image *v1.ConfigFile
	id    users.Identity
	o     Options
	facts Facts
	gen   generate.Generator
}

// New makes the configuration of a container of an image, whose process runs as
// id. Errors: ErrNoCommand, and those that name the option or the part of the
// image that cannot be.
func New(image *v1.ConfigFile, id users.Identity, o Options, f Facts) (*Result, error) {
	m := &maker{image: image, id: id, o: o, facts: f, gen: generate.NewFromSpec(empty())}
	for _, step := range [...]func() error{
		m.args, m.environment, m.cwd, m.user, m.capabilities, m.limits, // the process
		m.namespaces, m.root, m.mounts, m.devices, m.paths, // what it sees
		m.names, m.sysctls, m.resources, m.security, m.annotations, // what it may
	} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("making the configuration: %w", err)
		}
	}
	volumes, err := m.volumes()
	if err != nil {
		return nil, fmt.Errorf("making the configuration: %w", err)
	}
	signal, err := m.stopSignal()
	if err != nil {
		return nil, fmt.Errorf("making the configuration: %w", err)
	}
	return &Result{Spec: m.gen.Config, Volumes: volumes, StopSignal: signal}, nil
}

// empty is a configuration that says nothing yet.
func empty() *specs.Spec {
	return &specs.Spec{
		Version: specs.Version,
		Process: &specs.Process{Cwd: "/"},
		Root:    &specs.Root{Path: "rootfs"},
		Linux:   &specs.Linux{Resources: &specs.LinuxResources{}},
	}
}

// root is where the root file system is.
func (m *maker) root() error {
	if m.o.Root != "" {
		m.gen.SetRootPath(m.o.Root)
	}
	m.gen.SetRootReadonly(m.o.ReadOnly)
	return nil
}

// limits are those of the process.
func (m *maker) limits() error {
	for _, l := range m.o.Rlimits {
		if l.Soft > l.Hard {
			return fmt.Errorf("limit %s: the soft limit %d is above the hard limit %d", l.Type, l.Soft, l.Hard)
		}
		m.gen.AddProcessRlimits(l.Type, l.Hard, l.Soft)
	}
	m.gen.Config.Process.OOMScoreAdj = m.o.OOMScoreAdj
	return nil
}

// names are the host's and the domain's.
func (m *maker) names() error {
	const max = 64 // Linux: __NEW_UTS_LEN
	for _, name := range []string{m.o.Hostname, m.o.Domainname} {
		if len(name) > max {
			return fmt.Errorf("host or domain name %q: longer than %d bytes", name, max)
		}
		if name != "" && m.shared(specs.UTSNamespace) {
			return fmt.Errorf("host or domain name %q: the uts namespace is shared", name)
		}
	}
	m.gen.Config.Hostname, m.gen.Config.Domainname = m.o.Hostname, m.o.Domainname
	return nil
}

// resources are the cgroup's limits.
func (m *maker) resources() error {
	devices := m.gen.Config.Linux.Resources.Devices
	limits := m.o.Resources
	limits.Devices = devices
	m.gen.Config.Linux.Resources = &limits
	if reflect.DeepEqual(limits, specs.LinuxResources{}) {
		m.gen.Config.Linux.Resources = nil
	}
	m.gen.SetLinuxCgroupsPath(m.o.CgroupsPath)
	return nil
}
