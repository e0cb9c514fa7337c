package tarstream

import "time"

// Types of entries. Others are reported as they stand in the header.
const (
	File      = '0'
	HardLink  = '1'
	Symlink   = '2'
	CharDev   = '3'
	BlockDev  = '4'
	Directory = '5'
	Fifo      = '6'
)

// Entry is one member of an archive. Numbers are as the archive has them,
// whether or not the system has such ids, modes or devices.
type Entry struct {
	Type         byte
	Name         string
	Link         string // the target of a link
	Mode         int64
	UID, GID     int64
	Size         int64 // of the file, holes included
	Mtime        time.Time
	Atime        time.Time // zero where the archive has none
	Major, Minor int64
	Xattrs       []Xattr // of two with one name, the last counts
	// Extents are the parts of a sparse file that hold data, in order; the rest
	// is holes. Sparse says that the file is one: it may have no data at all.
	Extents []Extent
	Sparse  bool
}

// Xattr is an extended attribute.
type Xattr struct{ Name, Value string }

// Extent is a part of a file, in bytes.
type Extent struct{ Offset, Length int64 }

// HasContent says whether the entry's type is one that content follows. What
// else may follow, such as a file of a type nobody knows, has content too.
func (e *Entry) HasContent() bool {
	switch e.Type {
	case HardLink, Symlink, CharDev, BlockDev, Directory, Fifo:
		return false
	}
	return true
}
