package treetest

import (
	"archive/tar"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Make makes a tree of these items in a directory, by paths and one after the
// other, as plainly as can be: it is what other ways of making the tree are
// compared with. Parents that are no item of their own get mode 0755 and
// Epoch; an item "." sets the directory itself. Whiteouts are made as ordinary
// files. Without root everything belongs to whoever runs the test.
func Make(tb testing.TB, dir string, items ...Item) {
	tb.Helper()
	var dirs []Item
	for _, i := range items {
		dirs = append(dirs, makeParents(tb, dir, i)...)
		at := filepath.Join(dir, i.Header.Name)
		if err := makeItem(dir, at, i); err != nil {
			tb.Fatalf("making %s: %v", at, err)
		}
		if i.Header.Typeflag == tar.TypeDir {
			dirs = append(dirs, i)
			continue
		}
		if err := setAll(at, i); err != nil {
			tb.Fatalf("making %s: %v", at, err)
		}
	}
	set := map[string]bool{} // a directory that came twice has what came last
	for _, d := range slices.Backward(dirs) {
		at := filepath.Join(dir, d.Header.Name)
		if set[at] {
			continue
		}
		set[at] = true
		if err := setAll(at, d); err != nil {
			tb.Fatalf("making %s: %v", at, err)
		}
	}
}

// makeParents makes the directories above an item that are not there.
func makeParents(tb testing.TB, dir string, i Item) []Item {
	tb.Helper()
	var made []Item
	rel := ""
	for name := range strings.SplitSeq(filepath.Dir(filepath.Clean(i.Header.Name)), "/") {
		rel = filepath.Join(rel, name)
		err := os.Mkdir(filepath.Join(dir, rel), 0o755)
		if err == nil {
			made = append(made, Dir(rel))
		} else if !os.IsExist(err) {
			tb.Fatalf("making %s: %v", rel, err)
		}
	}
	return made
}

// makeItem makes one entry, without owner, mode, xattrs and times.
func makeItem(dir, at string, i Item) error {
	h := i.Header
	device := int(unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor)))
	switch h.Typeflag {
	case tar.TypeDir:
		if err := os.Mkdir(at, 0o700); !os.IsExist(err) {
			return err
		}
		return nil
	case tar.TypeReg:
		return os.WriteFile(at, []byte(i.Body), 0o600)
	case tar.TypeSymlink:
		return os.Symlink(h.Linkname, at)
	case tar.TypeLink:
		return os.Link(filepath.Join(dir, h.Linkname), at)
	case tar.TypeFifo:
		return unix.Mkfifo(at, 0o600)
	case tar.TypeChar:
		return unix.Mknod(at, unix.S_IFCHR|0o600, device)
	case tar.TypeBlock:
		return unix.Mknod(at, unix.S_IFBLK|0o600, device)
	}
	return fmt.Errorf("items of type %q cannot be made", h.Typeflag)
}

// setAll sets what makeItem left out. A hard link keeps what its target has.
func setAll(at string, i Item) error {
	h := i.Header
	if h.Typeflag == tar.TypeLink {
		return nil
	}
	if os.Geteuid() == 0 {
		if err := os.Lchown(at, h.Uid, h.Gid); err != nil {
			return err
		}
	}
	if h.Typeflag != tar.TypeSymlink {
		if err := unix.Chmod(at, uint32(h.Mode)); err != nil {
			return err
		}
	}
	for key, value := range h.PAXRecords {
		if name, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok {
			if err := unix.Lsetxattr(at, name, []byte(value), 0); err != nil {
				return fmt.Errorf("setting xattr %s: %w", name, err)
			}
		}
	}
	return setTime(at, h.ModTime)
}

// setTime sets the time of a file itself, not of a link's target.
func setTime(at string, when time.Time) error {
	ts, err := unix.TimeToTimespec(when)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, at, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}

// clearXattrs removes a file's extended attributes.
func clearXattrs(at string) error {
	all, err := xattrs(at)
	for name := range all {
		err = errors.Join(err, unix.Lremovexattr(at, name))
	}
	return err
}
