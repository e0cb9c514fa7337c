package tree

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"golang.org/x/sys/unix"
)

// Marks are how layers say what they hide: the namespace of overlayfs' extended
// attributes. No marks are those of a plain tree, which hides nothing.
type Marks string

// The namespaces that overlayfs knows: the first needs CAP_SYS_ADMIN in the
// initial user namespace, the second is for mounts with the option userxattr.
const (
	NoMarks Marks = ""
	Trusted Marks = "trusted.overlay."
	User    Marks = "user.overlay."
)

// ErrMark is the error for a file whose content or name overlayfs keeps
// elsewhere (metacopy and redirect_dir): such a file alone means nothing.
var ErrMark = errors.New("overlayfs keeps part of it elsewhere [the mount had redirect_dir or metacopy on]")

// FileXattrs are the extended attributes that are a file's own: without those
// of overlayfs, of either namespace. It fails with ErrMark where the rest of
// the file is elsewhere.
func (m Marks) FileXattrs(d *Dir, name string) (map[string]string, error) {
	all, err := d.Xattrs(name)
	if err != nil {
		return nil, err
	}
	for _, mark := range []string{"redirect", "metacopy"} {
		if _, marked := all[string(m)+mark]; marked && m != NoMarks {
			return nil, fmt.Errorf("reading %s/%s: %w", d.Path(), name, ErrMark)
		}
	}
	maps.DeleteFunc(all, func(key, _ string) bool {
		return strings.HasPrefix(key, string(Trusted)) || strings.HasPrefix(key, string(User))
	})
	return all, nil
}

// opaque says whether a directory hides what the layers below have in it.
func (m Marks) opaque(d *Dir, name string) (bool, error) {
	if m == NoMarks {
		return false, nil
	}
	value, err := d.xattr(name, string(m)+"opaque")
	return value == "y", err
}

// whiteouts says whether the whiteouts of a directory may be in the form of
// empty files with an attribute.
//
// Linux 6.7: whiteouts as extended attributes.
func (m Marks) whiteouts(d *Dir) (bool, error) {
	if m == NoMarks {
		return false, nil
	}
	value, err := d.xattr(".", string(m)+"opaque")
	return value == "x", err
}

// whiteout says whether a file stands for a name that is gone.
func (m Marks) whiteout(d *Dir, name string, st *unix.Stat_t, asXattr bool) (bool, error) {
	switch {
	case m == NoMarks:
		return false, nil
	case st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0:
		return true, nil
	case !asXattr || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size != 0:
		return false, nil
	}
	all, err := d.Xattrs(name)
	_, marked := all[string(m)+"whiteout"]
	return marked, err
}
