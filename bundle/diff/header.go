package diff

import (
	"archive/tar"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/internal/tree"
)

// typeflags are the tar's types for those of st_mode.
var typeflags = map[uint32]byte{
	unix.S_IFREG: tar.TypeReg,
	unix.S_IFDIR: tar.TypeDir,
	unix.S_IFLNK: tar.TypeSymlink,
	unix.S_IFCHR: tar.TypeChar,
	unix.S_IFBLK: tar.TypeBlock,
	unix.S_IFIFO: tar.TypeFifo,
}

// xattrRecord begins the PAX records of extended attributes.
const xattrRecord = "SCHILY.xattr."

// machineXattrs are extended attributes that belong to a machine: labels and
// signatures by its own policy, and access lists of its network file systems.
var machineXattrs = []string{"security.selinux", "security.ima", "security.evm", "system.nfs4_acl"}

// capabilityXattr are a file's capabilities.
const capabilityXattr = "security.capability"

// header is an entry's header, without size and link target. The same file
// always gives the same header: no names of owners, no times but the one of the
// last change.
func (l *archiver) header(e *tree.Entry, st *unix.Stat_t) (*tar.Header, error) {
	kind, ok := typeflags[st.Mode&unix.S_IFMT]
	if !ok {
		return nil, fmt.Errorf("%s: a layer has no files of type %o", e.Path, st.Mode&unix.S_IFMT)
	}
	uid, gid, err := l.opt.owner(st.Uid, st.Gid)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Path, err)
	}
	h := &tar.Header{
		Typeflag: kind, Name: e.Path, Mode: int64(st.Mode & 0o7777), Uid: uid, Gid: gid,
		ModTime: time.Unix(st.Mtim.Unix()), Format: tar.FormatPAX,
	}
	if kind == tar.TypeChar || kind == tar.TypeBlock {
		h.Devmajor, h.Devminor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	}
	xattrs, err := e.Xattrs()
	if err != nil {
		return nil, err
	}
	l.setXattrs(h, xattrs)
	return h, nil
}

// setXattrs adds the records of extended attributes.
func (l *archiver) setXattrs(h *tar.Header, xattrs map[string]string) {
	for key, value := range xattrs {
		switch {
		case slices.Contains(machineXattrs, key):
			continue
		case strings.Contains(key, "="):
			l.opt.skipped(h.Name, fmt.Sprintf("the extended attribute %q: a tar has no such names", key))
			continue
		case key == capabilityXattr:
			value = plainCapability(value, l.opt.UIDs)
		}
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords[xattrRecord+key] = value
	}
}

// The two forms of file capabilities in use: the second one names the root of
// the user namespace in which they were set.
//
// Linux 4.14: VFS_CAP_REVISION_3.
const (
	capRevision  = 0xff000000
	capRevision2 = 0x02000000
	capRevision3 = 0x03000000
	capLength2   = 20
	capLength3   = 24
)

// plainCapability is file capabilities for whoever is root in the container:
// without the root of the user namespace, where that is the container's.
func plainCapability(value string, uids []specs.LinuxIDMapping) string {
	if len(value) != capLength3 {
		return value
	}
	data := []byte(value)
	magic := binary.LittleEndian.Uint32(data)
	root, known := mapped(uids, binary.LittleEndian.Uint32(data[capLength2:]))
	if magic&capRevision != capRevision3 || !known || root != 0 {
		return value
	}
	binary.LittleEndian.PutUint32(data, magic&^capRevision|capRevision2)
	return string(data[:capLength2])
}
