package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/conformance/internal/bundle"
)

// shortSuffix ends the name of the bundle whose program ends at once.
const shortSuffix = "-short"

// kind is one sort of container.
type kind struct {
	name, about string
	owner       int // the host's uid of its root; 0 without a user namespace
	spec        func(dir, token string) *specs.Spec
}

// foreignRoot is the host's uid of root in a user namespace: one whose keys
// nobody else counts among.
const foreignRoot = 1_879_048_192

// kinds are all sorts of containers that are swept, in order.
var kinds = []kind{
	{name: "plain", about: "what the spec command writes", spec: func(string, string) *specs.Spec { return bundle.Default() }},
	{name: "full", about: "a user namespace, a seccomp profile, hooks, 20 mounts, limits, a cgroup two levels down", owner: foreignRoot, spec: fullSpec},
	{name: "host-pid", about: "without a pid namespace of its own", spec: func(string, string) *specs.Spec { return without(specs.PIDNamespace) }},
	{name: "host-mnt", about: "without a mount namespace of its own", spec: hostMountSpec},
}

// fullSpec is an engine's container with everything that is made beside it.
func fullSpec(dir, token string) *specs.Spec {
	s := bundle.Engine(dir)
	hook := []specs.Hook{{Path: "/bin/true", Args: []string{"true"}}}
	s.Hooks = &specs.Hooks{CreateRuntime: hook, CreateContainer: hook, StartContainer: hook, Poststart: hook, Poststop: hook}
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: foreignRoot, Size: 65536}}
	s.Linux.UIDMappings, s.Linux.GIDMappings = ids, ids
	s.Linux.CgroupsPath = "/" + token + "-parent/" + token
	return s
}

// without is a container that shares the host's namespace of one type.
func without(kind specs.LinuxNamespaceType) *specs.Spec {
	s := bundle.Default()
	s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(ns specs.LinuxNamespace) bool { return ns.Type == kind })
	return s
}

// hostMountSpec is a container whose mounts are on the host.
func hostMountSpec(string, string) *specs.Spec {
	s := without(specs.MountNamespace)
	s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = nil, nil
	return s
}

// writeBundles writes a kind's two bundles below dir: one whose program stays,
// and one whose program ends at once.
func writeBundles(dir, token string, k kind) error {
	sources := filepath.Join(dir, "sources")
	if err := bundle.WriteSources(sources); err != nil {
		return err
	}
	for suffix, args := range map[string][]string{"": {"/bin/sleep", "1000"}, shortSuffix: {"/bin/true"}} {
		s := k.spec(sources, token)
		s.Process.Args = args
		path := filepath.Join(dir, k.name+suffix)
		if err := bundle.Write(path, s); err != nil {
			return err
		}
		if err := giveTo(filepath.Join(path, "rootfs"), k.owner); err != nil {
			return err
		}
	}
	return nil
}

// giveTo gives a tree to a user.
func giveTo(tree string, owner int) error {
	return filepath.WalkDir(tree, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, owner, owner)
	})
}
