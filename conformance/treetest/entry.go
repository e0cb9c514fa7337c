package treetest

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Entry is what a tree holds at one path.
type Entry struct {
	Path   string // from the root of the tree, which is "."
	Mode   uint32 // type and permissions, as in st_mode
	UID    uint32
	GID    uint32
	Device uint64 // of a device file; otherwise 0
	Size   int64  // of a regular file; otherwise 0
	Time   time.Time
	Xattrs map[string]string
	Target string // of a symbolic link
	Hash   string // of a regular file's content: a hole equals zeros
	Links  string // the first path of the entry's group of hard links; "" where it stands alone
	Blocks int64  // 512-byte blocks in use; never compared
}

// Fields are the names of what is compared, as an Ignore function gets them.
// A path that only one tree has is the field "entry".
const (
	FieldEntry  = "entry"
	FieldType   = "type"
	FieldMode   = "mode"
	FieldOwner  = "owner"
	FieldDevice = "device"
	FieldSize   = "size"
	FieldTime   = "time"
	FieldXattr  = "xattr " // followed by the attribute's name
	FieldTarget = "target"
	FieldHash   = "content"
	FieldLinks  = "links"
)

// typeNames are the file types of st_mode in words.
var typeNames = map[uint32]string{
	unix.S_IFREG:  "file",
	unix.S_IFDIR:  "directory",
	unix.S_IFLNK:  "symlink",
	unix.S_IFCHR:  "character device",
	unix.S_IFBLK:  "block device",
	unix.S_IFIFO:  "fifo",
	unix.S_IFSOCK: "socket",
}

// fields are the values of an entry by their names, all but its xattrs.
func (e Entry) fields() [][2]string {
	return [][2]string{
		{FieldType, typeNames[e.Mode&unix.S_IFMT]},
		{FieldMode, fmt.Sprintf("%04o", e.Mode&^unix.S_IFMT)},
		{FieldOwner, fmt.Sprintf("%d:%d", e.UID, e.GID)},
		{FieldDevice, fmt.Sprintf("%d:%d", unix.Major(e.Device), unix.Minor(e.Device))},
		{FieldSize, fmt.Sprint(e.Size)},
		{FieldTime, e.Time.UTC().Format(time.RFC3339Nano)},
		{FieldTarget, fmt.Sprintf("%q", e.Target)},
		{FieldHash, e.Hash},
		{FieldLinks, fmt.Sprintf("%q", e.Links)},
	}
}
