package layer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/davit-containers/davit/bundle/layer/tarstream"
	"golang.org/x/sys/unix"
)

const capability = "security.capability"

// foreign says that an extended attribute means something on the host that a
// layer has no say in: overlayfs's marks, labels of SELinux, access control of
// NFS.
func foreign(name string) bool {
	return name == "security.selinux" || name == "system.nfs4_acl" || isOverlay(name)
}

func isOverlay(name string) bool {
	return strings.HasPrefix(name, "trusted.overlay.") || strings.HasPrefix(name, "user.overlay.")
}

// xattrsOf are the extended attributes that an entry's file gets.
func (o *Options) xattrsOf(e *tarstream.Entry) ([]tarstream.Xattr, error) {
	var kept []tarstream.Xattr
	for _, x := range e.Xattrs {
		if foreign(x.Name) {
			continue
		}
		if x.Name == capability {
			var err error
			if x.Value, err = o.capability(x.Value); err != nil {
				return nil, err
			}
		}
		kept = append(kept, x)
	}
	return kept, nil
}

// Revisions of a file's capabilities. Source: linux/capability.h.
const (
	revisionMask = 0xff000000
	revision2    = 0x02000000
	revision3    = 0x03000000
)

// capability is a file's capabilities, made valid in the user namespace of a
// container whose owners are mapped: the namespace's root is part of them.
// Linux 4.14: revision 3.
func (o *Options) capability(value string) (string, error) {
	if o.UIDs == nil || len(value) < 4 {
		return value, nil
	}
	magic := binary.LittleEndian.Uint32([]byte(value))
	root := int64(0)
	switch {
	case magic&revisionMask == revision3 && len(value) == 24:
		root = int64(binary.LittleEndian.Uint32([]byte(value[20:])))
	case magic&revisionMask != revision2 || len(value) != 20:
		return value, nil
	}
	host, err := mapID("uid", root, o.UIDs)
	if err != nil {
		return "", fmt.Errorf("mapping file capabilities: %w", err)
	}
	b := binary.LittleEndian.AppendUint32(nil, magic&^revisionMask|revision3)
	b = append(b, value[4:20]...)
	return string(binary.LittleEndian.AppendUint32(b, uint32(host))), nil
}

// setXattrs sets extended attributes with what sets one. What the file system
// or a user namespace refuses is reported and left out.
func (u *unpacker) setXattrs(n *node, xattrs []tarstream.Xattr, set func(name string, value []byte) error) error {
	for _, x := range xattrs {
		err := set(x.Name, []byte(x.Value))
		switch {
		case err == nil:
		case errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.EPERM) && (u.limited || strings.HasPrefix(x.Name, "user.")):
			// user.* is for files and directories only: EPERM for others.
			u.o.skipped(n.path(), fmt.Sprintf("extended attribute %s: %v", x.Name, err))
		default:
			return fmt.Errorf("setting extended attribute %q: %w", x.Name, err)
		}
	}
	return nil
}

func setXattrOf(fd int) func(string, []byte) error {
	return func(name string, value []byte) error { return unix.Fsetxattr(fd, name, value, 0) }
}

// setXattrOfPath is for O_PATH descriptors, links among them.
func setXattrOfPath(fd int) func(string, []byte) error {
	return func(name string, value []byte) error { return unix.Setxattr(procPath(fd), name, value, 0) }
}

func procPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// xattrNames are the names of an open file's extended attributes.
func xattrNames(fd int) ([]string, error) {
	return listXattrs(func(buf []byte) (int, error) { return unix.Flistxattr(fd, buf) })
}

func listXattrs(list func([]byte) (int, error)) ([]string, error) {
	buf, err := growing(list)
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing extended attributes: %w", err)
	}
	var names []string
	for _, name := range bytes.Split(buf, []byte{0}) {
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	return names, nil
}

// growing calls get with a buffer that is large enough.
func growing(get func([]byte) (int, error)) ([]byte, error) {
	for buf := make([]byte, 256); ; buf = make([]byte, 4*len(buf)) {
		n, err := get(buf)
		if err == nil {
			return buf[:n], nil
		}
		if !errors.Is(err, unix.ERANGE) || len(buf) > 1<<20 {
			return nil, err
		}
	}
}

// readXattrs reads the extended attributes that go with a file when it is
// copied up, from an O_PATH descriptor or another.
func readXattrs(fd int) ([]tarstream.Xattr, error) {
	path := procPath(fd)
	names, err := listXattrs(func(buf []byte) (int, error) { return unix.Listxattr(path, buf) })
	if err != nil {
		return nil, err
	}
	var xattrs []tarstream.Xattr
	for _, name := range names {
		if foreign(name) {
			continue
		}
		value, err := growing(func(buf []byte) (int, error) { return unix.Getxattr(path, name, buf) })
		if err != nil {
			return nil, fmt.Errorf("reading extended attribute %q: %w", name, err)
		}
		xattrs = append(xattrs, tarstream.Xattr{Name: name, Value: string(value)})
	}
	return xattrs, nil
}
