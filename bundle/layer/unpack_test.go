package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/davit-containers/davit/conformance/treetest"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

func needRoot(t testing.TB) {
	t.Helper()
	needs.Root(t, "unpacking with owners")
}

// overlayForm unpacks layers side by side, settles them, and mounts them.
func overlayForm(t testing.TB, o Options, layers ...[]byte) (string, error) {
	t.Helper()
	base := tempDir(t)
	var dirs []*os.File
	var unsettled []*Unsettled
	for i, l := range layers {
		dir := openDir(t, filepath.Join(base, string(rune('a'+i))))
		u, err := Unpack(context.Background(), dir, bytes.NewReader(l), o)
		if err != nil {
			return "", err
		}
		t.Cleanup(func() { u.Close() })
		dirs, unsettled = append(dirs, dir), append(unsettled, u)
	}
	var lower []*os.File // nearest first
	for i, u := range unsettled {
		result, err := u.Settle(context.Background(), lower)
		if err != nil {
			return "", err
		}
		if result.Opaque {
			lower = nil
		}
		lower = append([]*os.File{dirs[i]}, lower...)
	}
	return mountLayers(t, filepath.Join(base, "mount"), lower), nil
}

// tempDir is a directory whose path overlayfs's options can have.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "layer")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func openDir(t testing.TB, path string) *os.File {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

func mountLayers(t testing.TB, at string, lower []*os.File) string {
	t.Helper()
	if len(lower) == 1 {
		return lower[0].Name()
	}
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(lower))
	for i, f := range lower {
		names[i] = f.Name()
	}
	if err := unix.Mount("overlay", at, "overlay", unix.MS_RDONLY, "lowerdir="+strings.Join(names, ":")); err != nil {
		t.Fatalf("mounting overlayfs of %v: %v", names, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(at, 0); err != nil {
			t.Errorf("unmounting %s: %v", at, err)
		}
	})
	return at
}

// plainForm unpacks layers into one directory.
func plainForm(t testing.TB, o Options, layers ...[]byte) (string, error) {
	t.Helper()
	dir := openDir(t, filepath.Join(t.TempDir(), "plain"))
	p := NewPlain(dir, o)
	for _, l := range layers {
		if err := p.Apply(context.Background(), bytes.NewReader(l)); err != nil {
			return "", err
		}
	}
	return dir.Name(), nil
}

var ignoreOverlay = []Ignore{IgnoreXattrs("trusted.overlay."), IgnoreXattrs("user.overlay.")}

// check unpacks layers in both forms and compares them with what they must be.
func check(t *testing.T, want []Item, layers ...[]Item) {
	t.Helper()
	needRoot(t)
	var tars [][]byte
	for _, l := range layers {
		tars = append(tars, Tar(t, l...))
	}
	expected := t.TempDir()
	Make(t, expected, want...)
	t.Run("overlay", func(t *testing.T) {
		dir, err := overlayForm(t, Options{}, tars...)
		if err != nil {
			t.Fatal(err)
		}
		Equal(t, dir, expected, ignoreOverlay...)
	})
	t.Run("plain", func(t *testing.T) {
		dir, err := plainForm(t, Options{}, tars...)
		if err != nil {
			t.Fatal(err)
		}
		Equal(t, dir, expected)
	})
}

const capsNetRaw = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

var (
	later = Epoch.Add(time.Hour)
	root  = Dir(".")
)

func list(items ...Item) []Item { return items }

// layerCases are layers, the lowest first, and the tree they show.
var layerCases = []struct {
	name   string
	layers [][]Item
	want   []Item
}{
	{
		"every type of entry",
		[][]Item{{
			Dir(".").Mode(0o1755).Owner(3, 4), Dir("d").Mode(0o2750).Owner(5, 6).Xattr("user.x", "dir"), File("d/f", "content").Mode(0o600).Owner(7, 8),
			File("su", "su").Mode(0o6755), File("caps", "c").Owner(1, 1).Xattr("security.capability", capsNetRaw).Xattr("user.empty", ""),
			Symlink("l", "d/f").Owner(9, 10).Xattr("trusted.t", "v"), Link("hard", "d/f"), Link("hardlink", "l"), Fifo("fifo").Mode(0o622).Owner(1, 2),
			CharDevice("null", 1, 3).Mode(0o666), BlockDevice("disk", 259, 70000).Mode(0o4660).Owner(0, 6), File("empty", "").Mode(0),
		}},
		list(
			Dir(".").Mode(0o1755).Owner(3, 4), Dir("d").Mode(0o2750).Owner(5, 6).Xattr("user.x", "dir"), File("d/f", "content").Mode(0o600).Owner(7, 8),
			File("su", "su").Mode(0o6755), File("caps", "c").Owner(1, 1).Xattr("security.capability", capsNetRaw).Xattr("user.empty", ""),
			Symlink("l", "d/f").Owner(9, 10).Xattr("trusted.t", "v"), Link("hard", "d/f"), Link("hardlink", "l"), Fifo("fifo").Mode(0o622).Owner(1, 2),
			CharDevice("null", 1, 3).Mode(0o666), BlockDevice("disk", 259, 70000).Mode(0o4660).Owner(0, 6), File("empty", "").Mode(0),
		),
	},
	{
		"names of all lengths and spellings",
		[][]Item{{root, File("./a//b/../c", "1"), File("/abs/file", "2"), File(strings.Repeat("n", 255), "3"), File(strings.Repeat("p/", 100)+"x", "4"), File("ü\n\xff", "5"), File(".hidden", "6")}},
		list(root, File("a/c", "1"), File("abs/file", "2"), File(strings.Repeat("n", 255), "3"), File(strings.Repeat("p/", 100)+"x", "4"), File("ü\n\xff", "5"), File(".hidden", "6")),
	},
	{
		"a directory without an entry",
		[][]Item{{File("a/b/c", "x").Owner(5, 5)}},
		list(root, Dir("a"), Dir("a/b"), File("a/b/c", "x").Owner(5, 5)),
	},
	{
		"replacing in one layer",
		[][]Item{{
			root, File("f", "1"), File("f", "2").Mode(0o600), Dir("d"), File("d/x", ""), File("d", "file"), File("g", ""), Dir("g").Mode(0o700), File("g/y", ""),
			Symlink("l", "d"), Symlink("l", "g"), Dir("twice").Mode(0o700).Xattr("user.old", "1"), Dir("twice").Owner(1, 1),
		}},
		list(root, File("f", "2").Mode(0o600), File("d", "file"), Dir("g").Mode(0o700), File("g/y", ""), Symlink("l", "g"), Dir("twice").Owner(1, 1)),
	},
	{
		"a file where a file and a directory were",
		[][]Item{{root, Dir("d"), Dir("d/e"), File("d/e/x", ""), File("f", "old").Mode(0o4755).Xattr("user.old", "1"), Symlink("s", "f")}, {root, File("d", "new"), File("f", "new"), File("s", "new")}},
		list(root, File("d", "new"), File("f", "new"), File("s", "new")),
	},
	{
		"a directory where a file and a link were",
		[][]Item{{root, File("f", ""), Dir("t"), File("t/x", ""), Symlink("l", "t")}, {root, Dir("f"), File("f/a", ""), Dir("l"), File("l/b", "")}},
		list(root, Dir("f"), File("f/a", ""), Dir("t"), File("t/x", ""), Dir("l"), File("l/b", "")),
	},
	{
		"a directory's entry over a directory",
		[][]Item{{root, Dir("d").Mode(0o700).Owner(1, 1).Xattr("user.old", "1").Xattr("user.both", "1"), File("d/x", "")}, {root, Dir("d").Mode(0o711).At(later).Xattr("user.both", "2")}},
		list(root, Dir("d").Mode(0o711).At(later).Xattr("user.both", "2"), File("d/x", "")),
	},
	{
		"a directory, a file, a directory, within one layer",
		[][]Item{{root, Dir("d"), File("d/old", "")}, {root, File("d", ""), Dir("d"), File("d/new", "")}},
		list(root, Dir("d"), File("d/new", "")),
	},
	{
		"a whiteout",
		[][]Item{{root, File("f", ""), Dir("d"), File("d/x", ""), File("d/y", "")}, {root, Whiteout("f"), Dir("d"), Whiteout("d/x")}},
		list(root, Dir("d"), File("d/y", "")),
	},
	{
		"a whiteout of a directory",
		[][]Item{{root, Dir("d").At(later), Dir("d/e"), File("d/e/x", "")}, {Whiteout("d/e")}, {Whiteout("none")}},
		list(root, Dir("d").At(later)),
	},
	{
		"a whiteout and a new directory of that name",
		[][]Item{{root, Dir("d").Mode(0o700), File("d/old", "")}, {root, Whiteout("d"), Dir("d"), File("d/new", "")}},
		list(root, Dir("d"), File("d/new", "")),
	},
	{
		"a new directory of that name, then its whiteout",
		[][]Item{{root, Dir("d").Mode(0o700), File("d/old", ""), File("f", "old")}, {root, Dir("d"), File("d/new", ""), Whiteout("d"), File("f", "new"), Whiteout("f")}},
		list(root, Dir("d"), File("d/new", ""), File("f", "new")),
	},
	{
		"a whiteout and a new directory of that name, without an entry",
		[][]Item{{root, Dir("d").Mode(0o700).Owner(1, 1), File("d/old", "")}, {root, File("d/new", ""), Whiteout("d")}},
		list(root, Dir("d"), File("d/new", "")),
	},
	{
		"an opaque directory",
		[][]Item{{root, Dir("d").Mode(0o700), File("d/old", ""), Dir("d/sub"), File("d/sub/x", "")}, {root, Dir("d"), Opaque("d"), File("d/new", "")}},
		list(root, Dir("d"), File("d/new", "")),
	},
	{
		"an opaque directory, marked at the end, with whiteouts and a directory that was there",
		[][]Item{{root, Dir("d"), File("d/old", ""), Dir("d/sub").Mode(0o700), File("d/sub/x", "")}, {root, File("d/sub/y", ""), Whiteout("d/old"), Whiteout("d/sub/x"), Opaque("d")}},
		list(root, Dir("d"), Dir("d/sub"), File("d/sub/y", "")),
	},
	{
		"an opaque directory without an entry keeps its metadata",
		[][]Item{{root, Dir("d").Mode(0o700).Owner(1, 2).At(later).Xattr("user.x", "1"), File("d/old", "")}, {root, Opaque("d"), File("d/new", "")}},
		list(root, Dir("d").Mode(0o700).Owner(1, 2).At(later).Xattr("user.x", "1"), File("d/new", "")),
	},
	{
		"an opaque root",
		[][]Item{{Dir(".").Mode(0o700), Dir("d"), File("d/old", ""), File("f", "")}, {Opaque(""), File("d/new", "")}, {File("g", "")}},
		list(Dir(".").Mode(0o700), Dir("d"), File("d/new", ""), File("g", "")),
	},
	{
		"whiteouts of what is not there",
		[][]Item{{root, Dir("d").At(later), File("f", "")}, {root, Whiteout("none"), Whiteout("d/none"), Whiteout("no/where/x"), Opaque("nor/here"), Whiteout("f/x"), Dir("new"), Whiteout("new/x")}},
		list(root, Dir("d").At(later), File("f", ""), Dir("new")),
	},
	{
		"a whiteout above a whiteout",
		[][]Item{{root, Dir("d"), File("d/x", "")}, {root, Whiteout("d"), Whiteout("d/x")}},
		list(root),
	},
	{
		"a file again after its whiteout, and a directory",
		[][]Item{{root, Dir("d"), File("d/x", "1")}, {Whiteout("d")}, {root, Dir("d").At(later), File("d/y", "")}, {Whiteout("d/x")}},
		list(root, Dir("d").At(later), File("d/y", "")),
	},
	{
		"a file between directories",
		[][]Item{{root, Dir("d"), File("d/x", "1")}, {root, File("d", "")}, {root, Dir("d"), File("d/y", "")}},
		list(root, Dir("d"), File("d/y", "")),
	},
	{
		"a parent without an entry keeps what the layer below says",
		[][]Item{{root, Dir("d").Mode(0o2750).Owner(5, 6).At(later).Xattr("user.x", "1"), Dir("d/e").Mode(0o700).At(later)}, {File("d/e/f", "")}, {File("d/e/g", "")}},
		list(root, Dir("d").Mode(0o2750).Owner(5, 6).At(later).Xattr("user.x", "1"), Dir("d/e").Mode(0o700).At(later), File("d/e/f", ""), File("d/e/g", "")),
	},
	{
		"writing through a link of the layer below",
		[][]Item{{root, Dir("usr"), Dir("usr/bin").At(later), File("usr/bin/old", ""), Symlink("bin", "usr/bin")}, {File("bin/new", "1"), File("bin/old", "2"), File("bin/sub/x", "")}},
		list(root, Dir("usr"), Dir("usr/bin").At(later), File("usr/bin/old", "2"), File("usr/bin/new", "1"), Dir("usr/bin/sub"), File("usr/bin/sub/x", ""), Symlink("bin", "usr/bin")),
	},
	{
		"writing and whiteouts through links of several layers, absolute and upwards",
		[][]Item{
			{root, Dir("a"), Dir("a/b"), File("a/b/x", ""), File("a/b/y", "")},
			{root, Symlink("l", "/a"), Dir("s"), Symlink("s/up", "../l/b")},
			{Whiteout("s/up/x"), File("s/up/z", ""), File("l/w", "")},
		},
		list(root, Dir("a"), Dir("a/b"), File("a/b/y", ""), File("a/b/z", ""), File("a/w", ""), Symlink("l", "/a"), Dir("s"), Symlink("s/up", "../l/b")),
	},
	{
		"an opaque mark through a link of the layer below",
		[][]Item{{root, Dir("t").At(later), File("t/x", ""), Symlink("l", "t")}, {Opaque("l"), File("l/y", "")}},
		list(root, Dir("t").At(later), File("t/y", ""), Symlink("l", "t")),
	},
	{
		"writing through a link of the same layer",
		[][]Item{{root, Symlink("l", "t/u"), File("l/x", ""), Dir("t").Mode(0o700)}},
		list(root, Symlink("l", "t/u"), Dir("t").Mode(0o700), Dir("t/u"), File("t/u/x", "")),
	},
	{
		"writing through a link of the same layer, in a directory that is a link below",
		[][]Item{{root, Dir("usr"), Dir("usr/bin"), Dir("usr/y"), Symlink("bin", "usr/bin")}, {Symlink("bin/l", "../y"), File("bin/l/f", ""), File("bin/l/e/g", "")}},
		list(root, Dir("usr"), Dir("usr/bin"), Dir("usr/y"), Symlink("bin", "usr/bin"), Symlink("usr/bin/l", "../y"), File("usr/y/f", ""), Dir("usr/y/e"), File("usr/y/e/g", "")),
	},
	{
		"a link that content went through, replaced",
		[][]Item{{root, Dir("t"), Symlink("l", "t"), File("l/x", ""), File("l", "file")}},
		list(root, Dir("t"), File("t/x", ""), File("l", "file")),
	},
	{
		"one file by two ways, the later stays",
		[][]Item{{root, Dir("t"), File("t/x", "1"), File("t/y", "1"), Symlink("l", "t"), File("l/x", "2"), File("l/y", "2"), File("t/y", "3")}},
		list(root, Dir("t"), File("t/x", "2"), File("t/y", "3"), Symlink("l", "t")),
	},
	{
		"a link that leads nowhere, and above the root",
		[][]Item{{root, Symlink("l", "../../no/where"), File("l/x", "")}},
		list(root, Symlink("l", "../../no/where"), Dir("no"), Dir("no/where"), File("no/where/x", "")),
	},
	{
		"a directory's entry where the layer below has a link keeps its own content",
		[][]Item{{root, Dir("usr"), Dir("usr/bin"), File("usr/bin/x", ""), Symlink("bin", "usr/bin")}, {root, Dir("bin"), File("bin/y", "")}},
		list(root, Dir("usr"), Dir("usr/bin"), File("usr/bin/x", ""), Dir("bin"), File("bin/y", "")),
	},
	{
		"a hard link to a file of the layer below",
		[][]Item{{root, Dir("d").At(later), File("d/f", "content").Mode(0o4711).Owner(3, 4).At(later).Xattr("security.capability", capsNetRaw).Xattr("user.x", "1")}, {root, Link("l", "d/f")}},
		list(root, Dir("d").At(later), File("d/f", "content").Mode(0o4711).Owner(3, 4).At(later).Xattr("security.capability", capsNetRaw).Xattr("user.x", "1"), Link("l", "d/f")),
	},
	{
		"a hard link to a link, a device and a FIFO of the layer below",
		[][]Item{{root, Symlink("s", "nowhere").Owner(1, 1), CharDevice("c", 1, 3).Owner(2, 2), Fifo("f").Mode(0o600)}, {root, Link("s2", "s"), Link("c2", "c"), Link("f2", "f")}},
		list(root, Symlink("s", "nowhere").Owner(1, 1), CharDevice("c", 1, 3).Owner(2, 2), Fifo("f").Mode(0o600), Link("s2", "s"), Link("c2", "c"), Link("f2", "f")),
	},
	{
		"hard links through a link of the layer below, and to one another",
		[][]Item{{root, Dir("usr"), File("usr/f", "x"), Symlink("l", "usr")}, {root, Link("a", "l/f"), Link("b", "a"), Link("l/c", "b")}},
		list(root, Dir("usr"), File("usr/f", "x"), Symlink("l", "usr"), Link("a", "usr/f"), Link("b", "usr/f"), Link("usr/c", "usr/f")),
	},
	{
		"a hard link to a file that the layer itself then replaces, or removes",
		[][]Item{{root, File("f", "old"), File("g", "gone")}, {root, Link("l", "f"), File("f", "new"), Link("m", "g"), Whiteout("g")}},
		list(root, File("f", "new"), File("l", "old"), File("m", "gone")),
	},
	{
		"a hard link to what comes later",
		[][]Item{{root, Link("l", "f"), File("f", "x")}},
		list(root, File("f", "x"), Link("l", "f")),
	},
	{
		"a hard link to itself",
		[][]Item{{root, File("f", "x"), Link("f", "f")}},
		list(root, File("f", "x")),
	},
	{
		"hard links of a layer below stay together when one more is made",
		[][]Item{{root, Dir("d").At(later), File("d/f", "x"), Link("g", "d/f")}, {root, Link("h", "g")}},
		list(root, Dir("d").At(later), File("d/f", "x"), Link("g", "d/f"), Link("h", "d/f")),
	},
	{
		"overlayfs's attributes and labels are never set",
		[][]Item{{root, Dir("d"), File("d/x", "")}, {root, Dir("d").Xattr("trusted.overlay.opaque", "y").Xattr("user.overlay.opaque", "y").Xattr("security.selinux", "l"), File("f", "").Xattr("trusted.overlay.metacopy", "")}},
		list(root, Dir("d"), File("d/x", ""), File("f", "")),
	},
	{
		"overlayfs's own whiteout in an archive is one",
		[][]Item{{root, File("f", ""), Dir("d"), File("d/x", "")}, {root, CharDevice("f", 0, 0), CharDevice("d", 0, 0), CharDevice("none", 0, 0)}},
		list(root),
	},
	{
		"what AUFS kept for itself",
		[][]Item{{root, File(".wh..wh.aufs", ""), Dir(".wh..wh.orph"), File(".wh..wh.orph/x", ""), Dir(".wh..wh.plnk"), File(".wh..wh.plnk/1.2", "x"), Link("f", ".wh..wh.plnk/1.2"), Link("g", ".wh..wh.plnk/1.2")}},
		list(root, File("f", "x"), Link("g", "f")),
	},
	{
		"times before 1970 and with fractions",
		[][]Item{{root, File("f", "").At(time.Unix(-1000, 5)), Dir("d").At(time.Unix(1, 999999999)), Symlink("s", "x").At(time.Unix(0, 1))}},
		list(root, File("f", "").At(time.Unix(-1000, 5)), Dir("d").At(time.Unix(1, 999999999)), Symlink("s", "x").At(time.Unix(0, 1))),
	},
	{"an empty archive over another", [][]Item{{Dir(".").Mode(0o700), File("f", "")}, {}}, list(Dir(".").Mode(0o700), File("f", ""))},
}

func TestLayers(t *testing.T) {
	for _, c := range layerCases {
		t.Run(c.name, func(t *testing.T) { check(t, c.want, c.layers...) })
	}
}

// TestManyLinksAcross: links to hundreds of files that have several names below are
// found in one walk through the layer below, not in one for each.
func TestManyLinksAcross(t *testing.T) {
	const files = 300
	lower, upper, want := list(root), list(root), list(root)
	for i := range files {
		name := fmt.Sprint("f", i)
		lower = append(lower, File(name, name), Link("g"+name, name))
		upper = append(upper, Link("h"+name, name))
		want = append(want, File(name, name), Link("g"+name, name), Link("h"+name, name))
	}
	check(t, want, lower, upper)
}

// invalidLayers are refused, in both forms.
var invalidLayers = []struct {
	name   string
	layers [][]Item
	want   string
}{
	{"a root that is a link", [][]Item{{Symlink(".", "/tmp")}}, "the root is not a directory"},
	{"a root that is a link, spelled differently", [][]Item{{Symlink("/.", "/tmp")}}, "the root is not a directory"},
	{"a root that is a link, with a slash", [][]Item{{Symlink("./", "/tmp")}}, "the root is not a directory"},
	{"a file without a name", [][]Item{{File("", "x")}}, "the root is not a directory"},
	{"a root that is a FIFO", [][]Item{{Fifo(".")}}, "the root is not a directory"},
	{"a whiteout of the root", [][]Item{{File(".wh..", "")}}, "a whiteout of nothing"},
	{"a whiteout of the parent", [][]Item{{File("d/.wh...", "")}}, "a whiteout of nothing"},
	{"a whiteout without a name", [][]Item{{File("d/.wh.", "")}}, "a whiteout of nothing"},
	{"a file in a whiteout", [][]Item{{File("d/.wh.x/y", "")}}, "a file in a whiteout"},
	{"a name that leads out", [][]Item{{File("../x", "")}}, "leads out"},
	{"a name that leads out in the middle", [][]Item{{File("a/../../x", "")}}, "leads out"},
	{"a hard link that leads out", [][]Item{{Link("x", "../../etc/passwd")}}, "leads out"},
	{"a hard link to nothing", [][]Item{{Link("x", "etc/passwd")}}, "file does not exist"},
	{"a hard link through a link to the host", [][]Item{{Symlink("e", "/etc"), Link("x", "e/passwd")}}, "file does not exist"},
	{"a hard link to a directory", [][]Item{{Dir("d"), Link("x", "d")}}, "a hard link to a directory"},
	{"a hard link to a directory below", [][]Item{{Dir("d")}, {Link("x", "d")}}, "a hard link to a directory"},
	{"hard links to each other", [][]Item{{Link("a", "b"), Link("b", "a")}}, "links"},
	{"links to each other", [][]Item{{Symlink("a", "b"), Symlink("b", "a"), File("a/x", "")}}, "too many levels of symbolic links"},
	{"links below to each other", [][]Item{{Symlink("a", "b"), Symlink("b", "a")}, {File("a/x", "")}}, "too many levels of symbolic links"},
	{"a uid of 2^32", [][]Item{{File("x", "").Owner(1<<32, 0)}}, "uid 4294967296 is out of range"},
	{"a gid of 2^32-1", [][]Item{{Dir("x").Owner(0, 1<<32-1)}}, "gid 4294967295 is out of range"},
	{"a negative uid", [][]Item{{Symlink("x", "y").Owner(-1, 0)}}, "uid -1 is out of range"},
	{"a device beyond the kernel's", [][]Item{{CharDevice("x", 1<<12, 0)}}, "no device"},
	{"a name longer than the kernel's", [][]Item{{File(strings.Repeat("x", 256), "")}}, "file name too long"},
}

func TestInvalidLayers(t *testing.T) {
	needRoot(t)
	for _, c := range invalidLayers {
		t.Run(c.name, func(t *testing.T) {
			var tars [][]byte
			for _, l := range c.layers {
				tars = append(tars, Tar(t, l...))
			}
			_, err := overlayForm(t, Options{}, tars...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("overlay form: got error %v, want one with %q", err, c.want)
			}
			_, err = plainForm(t, Options{}, tars...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("plain form: got error %v, want one with %q", err, c.want)
			}
		})
	}
}

// TestFilesAlone: an archive of files removes none, and loses none for its name.
func TestFilesAlone(t *testing.T) {
	needRoot(t)
	if _, err := plainForm(t, Options{FilesAlone: true}, Tar(t, root, File(".whole", ""), File("d/x.wh.y", ""))); err != nil {
		t.Error(err)
	}
	for _, name := range []string{".wh.x", "d/.wh.x", "d/.wh..wh..opq", ".wh.d/x", "d/.wh.e/x", ".wh..wh.aufs", ".wh..wh.plnk/1.2", ".wh..wh.orph/x"} {
		if _, err := plainForm(t, Options{FilesAlone: true}, Tar(t, root, File(name, ""))); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEntryErrorNamesTheEntry(t *testing.T) {
	dir := openDir(t, t.TempDir())
	_, err := Unpack(context.Background(), dir, bytes.NewReader(Tar(t, File("a/../../b", ""))), Options{})
	var entry *EntryError
	if !errors.As(err, &entry) || entry.Name != "a/../../b" || !errors.Is(err, ErrInvalid) {
		t.Errorf("got error %v, want an *EntryError of a/../../b that is ErrInvalid", err)
	}
}

func TestCancelledUnpackingStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	endless := &cancelling{cancel: cancel, tar: header(t, tar.Header{Name: "a"})}
	_, err := Unpack(ctx, openDir(t, t.TempDir()), endless, Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
}

// header is the header of one entry, as it stands in an archive.
func header(t testing.TB, h tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := tar.NewWriter(&out).WriteHeader(&h); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// cancelling is an archive without end, read until somebody gives up.
type cancelling struct {
	cancel func()
	tar    []byte
	times  int
}

func (c *cancelling) Read(p []byte) (int, error) {
	if c.times++; c.times == 1000 {
		c.cancel()
	}
	return copy(p, c.tar), nil
}
