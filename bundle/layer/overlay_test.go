package layer

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	. "github.com/davit-containers/davit/conformance/treetest"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// TestWhiteoutsAsFiles makes whiteouts as where no device can be made: overlayfs
// takes them, and so does the layer that is settled on them.
func TestWhiteoutsAsFiles(t *testing.T) {
	needRoot(t)
	base := tempDir(t)
	lower, middle, upper := openDir(t, filepath.Join(base, "a")), openDir(t, filepath.Join(base, "b")), openDir(t, filepath.Join(base, "c"))
	settle := func(dir *os.File, below []*os.File, items ...Item) {
		t.Helper()
		u, err := Unpack(context.Background(), dir, bytes.NewReader(Tar(t, items...)), Options{})
		if err == nil {
			_, err = u.Settle(context.Background(), below)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	settle(lower, nil, root, Dir("d"), File("d/gone", ""), File("d/empty", ""), File("d/stays", ""))

	u := newUnpacker(context.Background(), int(middle.Fd()), Options{})
	d := u.add(u.root, "d")
	d.kind, d.dir, d.hides = directory, &dirPart{}, false
	fd, err := u.open(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&overlay{u}).whiteoutFile(d, fd, "gone"); err != nil {
		t.Fatal(err)
	}
	u.root.dir.belowKnown = true
	if err := u.finish(u.root); err != nil {
		t.Fatal(err)
	}
	u.dirs.dropAll()

	settle(upper, []*os.File{middle, lower}, root, Whiteout("d/gone"), Whiteout("d/empty"), File("d/new", ""))
	if tree := Read(t, upper.Name()); tree["d/gone"].Path != "" || tree["d/empty"].Mode != unix.S_IFCHR {
		t.Errorf("of two whiteouts, of what is gone and what is there, the layer has %v", tree.Paths())
	}
	merged := Read(t, mountLayers(t, filepath.Join(base, "mount"), []*os.File{upper, middle, lower}))
	if _, shown := merged["d/empty"]; shown {
		needs.Kernel(t, needs.FileWhiteouts, errors.New("overlayfs shows one"))
	}
	for path, want := range map[string]bool{"d/gone": false, "d/empty": false, "d/stays": true, "d/new": true} {
		if _, got := merged[path]; got != want {
			t.Errorf("%s is there: %v, want %v", path, got, want)
		}
	}
}

// TestOverlayAttributesOfArchives: what overlayfs would take for its own word is in the
// directory of no layer, be it of root's or of users' attributes.
func TestOverlayAttributesOfArchives(t *testing.T) {
	needRoot(t)
	dir := openDir(t, filepath.Join(tempDir(t), "a"))
	d, f := Dir("d"), File("f", "")
	for _, namespace := range []string{"trusted.overlay.", "user.overlay."} {
		d = d.Xattr(namespace+"opaque", "y").Xattr(namespace+"redirect", "/etc")
		f = f.Xattr(namespace+"metacopy", "").Xattr(namespace+"whiteout", "y")
	}
	u, err := Unpack(context.Background(), dir, bytes.NewReader(Tar(t, root, d.Xattr("user.mine", "1"), f)), Options{})
	if err == nil {
		_, err = u.Settle(context.Background(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	for path, e := range Read(t, dir.Name()) {
		delete(e.Xattrs, "user.mine")
		if len(e.Xattrs) > 0 {
			t.Errorf("%s has the attributes %q", path, e.Xattrs)
		}
	}
}
