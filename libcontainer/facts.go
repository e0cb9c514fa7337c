package libcontainer

import (
	"fmt"
	"os"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/host"
	"github.com/davit-containers/davit/libcontainer/idmap"
	"github.com/davit-containers/davit/libcontainer/plan"
)

// facts gathers what a plan depends on. Only what the configuration makes
// relevant is probed.
func (b *Bundle) facts(o *CreateOptions) (plan.Facts, error) {
	f := processFacts(b.Spec.Process, b.Spec.Linux)
	f.Kcore = exists("/proc/kcore")
	f.SharesCgroupNS = b.Spec.Linux != nil && slices.ContainsFunc(b.Spec.Linux.Namespaces, isOwnCgroupNS)
	if !f.CgroupV2 && b.mountsCgroups() {
		if err := addHierarchies(&f); err != nil {
			return f, err
		}
	}
	f.OverlayAppends = b.hasLongOptions() && !host.Kernel().Before(host.Version{Major: 6, Minor: 5})
	if o.NoPivot {
		mounts, err := host.FullProcMounts()
		if err != nil {
			return f, fmt.Errorf("reading the mount table: %w", err)
		}
		f.FullProcMounts = mounts
	}
	return f, nil
}

// processFacts are those that any process of a container depends on.
func processFacts(p *specs.Process, l *specs.Linux) plan.Facts {
	f := plan.Facts{
		Privileged:      os.Geteuid() == 0 && host.EffectiveCaps()&(1<<unix.CAP_SYS_ADMIN) != 0,
		Capabilities:    host.EffectiveCaps() & host.BoundingCaps(),
		LastCapability:  host.LastCap(),
		CgroupV2:        host.Cgroups() == host.CgroupV2,
		InUserNamespace: host.InUserNS(),
		Refused:         host.RefusedCalls(),
	}
	if f.InUserNamespace {
		f.Privileged = false
	}
	f.SetgroupsDenied = l != nil && setgroupsDenied(l, host.EffectiveCaps())
	f.AppArmor = p != nil && p.ApparmorProfile != "" && host.AppArmor()
	f.SELinux = (p != nil && p.SelinuxLabel != "" || l != nil && l.MountLabel != "") && host.SELinux()
	return f
}

// isOwnCgroupNS tells whether a namespace to join is this process's cgroup
// namespace.
func isOwnCgroupNS(ns specs.LinuxNamespace) bool {
	if ns.Type != specs.CgroupNamespace || ns.Path == "" {
		return false
	}
	theirs, err1 := os.Stat(ns.Path)
	ours, err2 := os.Stat("/proc/self/ns/cgroup")
	return err1 == nil && err2 == nil && os.SameFile(theirs, ours)
}

// setgroupsDenied tells whether the container's user namespace is one that its
// owner maps to itself alone, for which the kernel wants setgroups(2) denied.
// Linux 3.19: user_namespaces(7).
func setgroupsDenied(l *specs.Linux, caps uint64) bool {
	if len(l.UIDMappings) == 0 {
		return false
	}
	maps := idmap.Maps{UIDs: l.UIDMappings, GIDs: l.GIDMappings}
	return idmap.Choose(maps, caps, os.Geteuid(), os.Getegid()).GIDs == idmap.Self
}

// hasLongOptions tells whether it matters how a file system can be given them.
func (b *Bundle) hasLongOptions() bool {
	for i := range b.Spec.Mounts {
		if plan.HasLongOptions(b.Spec.Mounts[i].Options) {
			return true
		}
	}
	return false
}

func (b *Bundle) mountsCgroups() bool {
	for i := range b.Spec.Mounts {
		if b.Spec.Mounts[i].Type == "cgroup" {
			return true
		}
	}
	return false
}

func addHierarchies(f *plan.Facts) error {
	mounts, err := host.CgroupV1Mounts()
	if err != nil {
		return fmt.Errorf("reading the host's cgroup mounts: %w", err)
	}
	for _, m := range mounts {
		f.Hierarchies = append(f.Hierarchies, plan.Hierarchy{Mountpoint: m.Mountpoint, Controllers: m.Controllers})
	}
	return nil
}

func exists(path string) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil
}
