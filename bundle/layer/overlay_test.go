package layer

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	. "github.com/davit-containers/davit/bundle/internal/treetest"
	"golang.org/x/sys/unix"
)

// atLeast says whether the kernel has a version.
func atLeast(t *testing.T, major, minor int) bool {
	t.Helper()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	got := [2]int{}
	part := 0
	for _, c := range name.Release {
		if c == '.' {
			if part++; part == 2 {
				break
			}
		} else if c < '0' || c > '9' {
			break
		} else {
			got[part] = got[part]*10 + int(c-'0')
		}
	}
	return got[0] > major || got[0] == major && got[1] >= minor
}

// TestWhiteoutsAsFiles makes whiteouts as where no device can be made: overlayfs
// takes them, and so does the layer that is settled on them.
func TestWhiteoutsAsFiles(t *testing.T) {
	needRoot(t)
	if !atLeast(t, 6, 7) {
		t.Skip("overlayfs takes files with attributes for whiteouts since Linux 6.7")
	}
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
	for path, want := range map[string]bool{"d/gone": false, "d/empty": false, "d/stays": true, "d/new": true} {
		if _, got := merged[path]; got != want {
			t.Errorf("%s is there: %v, want %v", path, got, want)
		}
	}
}
