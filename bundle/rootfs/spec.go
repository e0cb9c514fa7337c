package rootfs

import (
	"errors"
	"fmt"

	"github.com/davit-containers/davit/bundle/internal/tree"
)

// MaxLayers is how many layers overlayfs takes below the writable one.
const MaxLayers = 500

// Spec is an overlay mount. Directories may not be symbolic links themselves.
type Spec struct {
	Lower    []string // read-only layers, the nearest first
	Upper    string   // the writable layer; "" for a read-only view
	Work     string   // overlayfs' own directory, on the file system of Upper
	Target   string   // an empty directory to mount on
	ReadOnly bool     // nothing can be written, although there is an Upper

	// Userxattr has overlayfs keep its marks in user.overlay. instead of
	// trusted.overlay., as a user namespace needs it: see Support.
	Userxattr bool
	// Volatile leaves out every sync of the writable layer: fast, and lost with
	// the machine. After a crash Mount refuses it with ErrVolatile.
	//
	// Linux 5.10: the mount option volatile.
	Volatile bool
}

var (
	// ErrUnsupported is the error where the kernel has no overlayfs, or where a
	// user may not mount it.
	ErrUnsupported = errors.New("overlayfs cannot be used here")
	// ErrMounted is the error where something is mounted on the target already.
	ErrMounted = errors.New("something is mounted there already")
	// ErrNotOurs is the error where a mount is none that Mount made.
	ErrNotOurs = errors.New("no mount of this program")
	// ErrVolatile is the error for a writable layer that was mounted as volatile
	// when the machine went down.
	ErrVolatile = errors.New("it was volatile when the machine went down, so its files may be broken [start again with an empty one]")
	// ErrNotEmpty is the error for a directory that should be empty.
	ErrNotEmpty = errors.New("the directory is not empty")
)

// check refuses what cannot be mounted, before anything is done.
func (s Spec) check() error {
	switch {
	case s.Target == "":
		return errors.New("mounting an overlay: no target is given")
	case len(s.Lower) > MaxLayers:
		return fmt.Errorf("mounting an overlay on %s: %d layers, and overlayfs takes %d [merge them into a plain directory]", s.Target, len(s.Lower), MaxLayers)
	case len(s.Lower) == 0 && s.Upper == "":
		return fmt.Errorf("mounting an overlay on %s: there are no layers", s.Target)
	case (s.Upper == "") != (s.Work == ""):
		return fmt.Errorf("mounting an overlay on %s: a writable layer and its work directory go together", s.Target)
	case s.Volatile && s.Upper == "":
		return fmt.Errorf("mounting an overlay on %s: volatile without a writable layer", s.Target)
	}
	return nil
}

// marks are the attributes of the spec's layers.
func (s Spec) marks() tree.Marks { return marks(s.Userxattr) }

// marks are the attributes that overlayfs uses with userxattr, or without.
func marks(userxattr bool) tree.Marks {
	if userxattr {
		return tree.User
	}
	return tree.Trusted
}
