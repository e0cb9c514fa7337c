package cgroup

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/opencontainers/cgroups"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// mountpoint is where cgroup v2, or the directory of the v1 hierarchies, is
// mounted. The library knows no other place on v2.
const mountpoint = "/sys/fs/cgroup"

// errNoDevices refuses cgroup v1 without the controller that confines devices.
var errNoDevices = errors.New("the devices controller of cgroup v1 is not mounted")

// locate computes the paths, and the unit, of a container's cgroup.
func locate(o Options, driver Driver, v version) (Saved, error) {
	asked := ""
	if o.Spec != nil && o.Spec.Linux != nil {
		asked = o.Spec.Linux.CgroupsPath
	}
	s := Saved{Driver: driver, Unified: v == v2, Rootless: o.Rootless, Placed: asked != ""}
	if driver == Systemd {
		return locateUnit(s, asked, o.ID)
	}
	inner, err := innerPath(asked, o.ID)
	if err != nil {
		return s, err
	}
	s.Paths, err = pathsOf(inner, v, s.Rootless)
	s.Parents = s.missingParents()
	return s, err
}

// innerPath returns the path below the mount points: absolute as asked, or
// relative to the caller's own cgroup, which also takes a container's id.
//
// runc drops the ".." that lead out of the hierarchy; here they are an error,
// because what remains is not what the configuration's author meant.
func innerPath(asked, id string) (string, error) {
	if asked == "" {
		if id == "" || id == "." || id == ".." || strings.Contains(id, "/") {
			return "", fmt.Errorf("%q cannot name a cgroup", id)
		}
		return id, nil
	}
	if strings.Contains(asked, "\n") {
		return "", fmt.Errorf("linux.cgroupsPath %q has a line break, which no cgroup can have", asked)
	}
	depth := 0
	for part := range strings.SplitSeq(asked, "/") {
		switch part {
		case "", ".":
		case "..":
			depth--
		default:
			depth++
		}
		if depth < 0 {
			return "", fmt.Errorf(`linux.cgroupsPath %q leaves the cgroup hierarchy by ".."`, asked)
		}
	}
	if depth == 0 {
		return "", fmt.Errorf("linux.cgroupsPath %q is the root of the hierarchy, where no container can be", asked)
	}
	return filepath.Clean(asked), nil
}

// pathsOf places inner in every hierarchy.
func pathsOf(inner string, v version, rootless bool) (map[string]string, error) {
	if v == v2 {
		return unifiedPaths(inner)
	}
	return legacyPaths(inner, rootless)
}

// unifiedPaths places inner in the v2 hierarchy. A relative one becomes a
// sibling of the caller's cgroup: that has processes in it, so that it cannot
// pass controllers on to children.
func unifiedPaths(inner string) (map[string]string, error) {
	if filepath.IsAbs(inner) {
		return map[string]string{"": mountpoint + inner}, nil
	}
	own, err := cgroups.ParseCgroupFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("finding our own cgroup: %w", err)
	}
	path, ok := own[""]
	if !ok {
		return nil, errors.New("finding our own cgroup: /proc/self/cgroup names none of version 2")
	}
	return map[string]string{"": filepath.Join(mountpoint, filepath.Dir(path), inner)}, nil
}

// legacyPaths places inner in every v1 hierarchy that the library knows, and in
// the v2 one of a hybrid host.
func legacyPaths(inner string, rootless bool) (map[string]string, error) {
	own, err := cgroups.ParseCgroupFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("finding our own cgroup: %w", err)
	}
	paths, ok := usualPaths(inner, own)
	if !ok {
		if paths, err = mountedPaths(inner, own); err != nil {
			return nil, err
		}
	}
	if _, ok := paths["devices"]; !ok && !rootless {
		return nil, errNoDevices
	}
	if cgroups.IsCgroup2HybridMode() {
		paths[""] = filepath.Join(mountpoint, "unified", inner)
	}
	return paths, nil
}

// usualPaths is for hosts that mount each hierarchy under its controller's
// name; only they have a release agent there. The mount table need not be read,
// which would take longer than all the rest.
func usualPaths(inner string, own map[string]string) (map[string]string, bool) {
	paths := make(map[string]string, 16)
	for controller := range own {
		controller = strings.TrimPrefix(controller, cgroups.CgroupNamePrefix)
		if legacyName(controller) == "" {
			continue
		}
		mount := cgroups.Mount{Mountpoint: mountpoint + "/" + controller, Root: "/"}
		if unix.Access(mount.Mountpoint+"/release_agent", unix.F_OK) != nil || placeLegacy(paths, mount, controller, inner, own) != nil {
			return nil, false
		}
	}
	return paths, true
}

// mountedPaths is for other hosts, and for containers in which only a part of
// the hierarchies is mounted.
func mountedPaths(inner string, own map[string]string) (map[string]string, error) {
	mounts, err := cgroups.GetCgroupMounts(false)
	if err != nil {
		return nil, fmt.Errorf("finding the cgroup mounts: %w", err)
	}
	paths := make(map[string]string, 16)
	for _, mount := range mounts {
		for _, controller := range mount.Subsystems {
			if err := placeLegacy(paths, mount, controller, inner, own); err != nil {
				return nil, err
			}
		}
	}
	return paths, nil
}

// placeLegacy adds the path in one hierarchy to paths.
func placeLegacy(paths map[string]string, mount cgroups.Mount, controller, inner string, own map[string]string) error {
	name := legacyName(controller)
	if name == "" {
		return nil
	}
	if filepath.IsAbs(inner) {
		paths[name] = filepath.Join(mount.Mountpoint, inner)
		return nil
	}
	// In a container that shares its host's cgroup namespace the mount shows
	// only a part of the hierarchy, and /proc/self/cgroup the whole path.
	below, err := filepath.Rel(mount.Root, own[name])
	if err != nil {
		return fmt.Errorf("finding our own %s cgroup: %w", controller, err)
	}
	paths[name] = filepath.Join(mount.Mountpoint, below, inner)
	return nil
}

// legacyName returns the library's name of a v1 controller, or "" for a
// hierarchy that containers do not join.
func legacyName(controller string) string {
	switch controller {
	case "systemd":
		return cgroups.CgroupNamePrefix + controller
	case "cpuset", "devices", "memory", "cpu", "cpuacct", "pids", "blkio", "hugetlb",
		"net_cls", "net_prio", "perf_event", "freezer", "rdma", "misc":
		return controller
	}
	return ""
}

// annotationsOf returns the annotations of a configuration, or none.
func annotationsOf(spec *specs.Spec) map[string]string {
	if spec == nil {
		return nil
	}
	return spec.Annotations
}
