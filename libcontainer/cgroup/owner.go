package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// delegateFile lists the files of a cgroup that its owner must own.
const delegateFile = "/sys/kernel/cgroup/delegate"

// ownerUID returns the uid on the host that is to own the container's cgroup,
// or nil where it stays with the creator: the container must have a cgroup
// namespace of its own and a writable mount of the cgroup.
//
// Spec: config-linux.md#cgroup-ownership
func ownerUID(spec *specs.Spec) *int {
	if spec == nil || spec.Linux == nil || !ownNamespace(spec.Linux, specs.CgroupNamespace) || !writableMount(spec.Mounts) {
		return nil
	}
	inside := uint32(0)
	if spec.Process != nil {
		inside = spec.Process.User.UID
	}
	uid, ok := hostUID(spec.Linux, inside)
	if !ok || uid == os.Geteuid() {
		return nil
	}
	return &uid
}

// ownNamespace reports whether the container gets a new namespace of the type.
func ownNamespace(linux *specs.Linux, kind specs.LinuxNamespaceType) bool {
	return slices.ContainsFunc(linux.Namespaces, func(n specs.LinuxNamespace) bool {
		return n.Type == kind && n.Path == ""
	})
}

// writableMount reports whether the cgroup filesystem is mounted for writing.
func writableMount(mounts []specs.Mount) bool {
	return slices.ContainsFunc(mounts, func(m specs.Mount) bool {
		return m.Source == "cgroup" && path.Clean("/"+m.Destination) == "/sys/fs/cgroup" && !slices.Contains(m.Options, "ro")
	})
}

// hostUID maps a uid of the container. In a user namespace that is joined
// without mappings, the uid is not known.
func hostUID(linux *specs.Linux, inside uint32) (int, bool) {
	user := slices.ContainsFunc(linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.UserNamespace })
	if !user {
		return int(inside), true
	}
	for _, m := range linux.UIDMappings {
		if inside >= m.ContainerID && inside-m.ContainerID < m.Size {
			return int(m.HostID + inside - m.ContainerID), true
		}
	}
	return 0, false
}

// delegate gives the cgroup to its owner: the directory, and the files that
// the kernel names for that. Not all of them need be there.
func (u *unified) delegate() error {
	if u.owner == nil {
		return nil
	}
	dir := int(u.dir.Fd())
	if err := unix.Fchownat(dir, "", *u.owner, -1, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("changing the owner of %s to %d: %w", u.path, *u.owner, err)
	}
	files, err := delegatedFiles()
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(files) {
		err := unix.Fchownat(dir, name, *u.owner, -1, unix.AT_SYMLINK_NOFOLLOW)
		if err != nil && err != unix.ENOENT {
			return fmt.Errorf("changing the owner of %s/%s to %d: %w", u.path, name, *u.owner, err)
		}
	}
	return nil
}

func delegatedFiles() (string, error) {
	files, err := readFile(delegateFile)
	if errors.Is(err, unix.ENOENT) {
		return "cgroup.procs cgroup.subtree_control cgroup.threads", nil
	}
	return files, err
}
