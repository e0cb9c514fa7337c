package layer

import (
	"errors"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// ErrInvalid says that a layer asks for what no layer may: another reason than
// the machine's.
var ErrInvalid = errors.New("invalid layer")

// EntryError says which entry of a layer could not be unpacked.
type EntryError struct {
	Name string
	Err  error
}

func (e *EntryError) Error() string { return fmt.Sprintf("unpacking %q: %v", e.Name, e.Err) }

func (e *EntryError) Unwrap() error { return e.Err }

// Namespace is where overlayfs looks for its extended attributes.
type Namespace string

// The namespaces of overlayfs's attributes.
const (
	Trusted Namespace = "trusted"
	// User is for mounts with the option userxattr, as in a user namespace.
	User Namespace = "user"
)

// Options say how layers are unpacked. The zero value is for a privileged user
// who wants files as the layer has them.
type Options struct {
	// UIDs and GIDs map the layer's owners (container) to those of the files
	// (host), for a container with a user namespace; without them owners stay.
	// An owner whom they leave out is an error. Who unpacks within the user
	// namespace needs none.
	UIDs, GIDs []specs.LinuxIDMapping
	// OneOwner leaves all files to who unpacks: for a user namespace with one
	// user only, or for who is not root.
	OneOwner bool
	// FilesAlone refuses names that begin with .wh.: the archive is somebody's files,
	// and no layer, which removes files by them.
	FilesAlone bool
	// Namespace is that of the overlay form. Empty means Trusted.
	Namespace Namespace
	Limits    Limits
	// Progress, where set, is told now and then how many bytes of the archive
	// were read.
	Progress func(bytes int64)
	// Skipped, where set, is told what could not be had and was left out:
	// devices and some extended attributes in a user namespace or without
	// privileges, or attributes that the file system does not have. An empty file
	// without permissions is in the place of such a device.
	Skipped func(name, what string)
}

// Limits bound what one layer may be. A limit of zero means the default.
type Limits struct {
	// Entries is how many entries a layer may have, and how many files and
	// directories. What is remembered of each takes about 200 bytes.
	Entries int
	// Depth is how many directories may be inside of each other.
	Depth int
	// Bytes is how long all files may be together. The default is no limit.
	Bytes int64
}

const (
	defaultEntries = 4 << 20
	defaultDepth   = 4096
)

func (l Limits) withDefaults() Limits {
	if l.Entries == 0 {
		l.Entries = defaultEntries
	}
	if l.Depth == 0 {
		l.Depth = defaultDepth
	}
	return l
}

// attribute is the name of one of overlayfs's extended attributes.
func (o *Options) attribute(name string) string {
	namespace := o.Namespace
	if namespace == "" {
		namespace = Trusted
	}
	return string(namespace) + ".overlay." + name
}

func (o *Options) skipped(name, what string) {
	if o.Skipped != nil {
		o.Skipped(name, what)
	}
}
