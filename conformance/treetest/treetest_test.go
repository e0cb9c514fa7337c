package treetest_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/davit-containers/davit/conformance/treetest"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// owner is the user and group of the tests: nobody else's files can be made
// without root.
func owner(i treetest.Item) treetest.Item { return i.Owner(os.Getuid(), os.Getgid()) }

// items is a tree with something of each type that needs no root.
func items() []treetest.Item {
	all := []treetest.Item{
		treetest.Dir("."),
		treetest.Dir("a/a").Mode(0o750),
		treetest.File("a/a/file", "content").Mode(0o4711).Xattr("user.k", "v"),
		treetest.Link("a/other", "a/a/file"),
		treetest.Symlink("s", "a/../nowhere"),
		treetest.Fifo("p").At(time.Unix(1, 2)),
	}
	for i := range all {
		all[i] = owner(all[i])
	}
	return all
}

func TestEqualTreesAreEqual(t *testing.T) {
	got, want := t.TempDir(), t.TempDir()
	treetest.Make(t, got, items()...)
	treetest.Make(t, want, items()...)
	treetest.Equal(t, got, want)
	tree := treetest.Read(t, got)
	if paths := strings.Join(tree.Paths(), " "); paths != ". a a/a a/a/file a/other p s" {
		t.Errorf("read the paths %s", paths)
	}
	if e := tree["a/a/file"]; e.Mode != unix.S_IFREG|0o4711 || e.Xattrs["user.k"] != "v" || e.Links != "a/a/file" || !e.Time.Equal(treetest.Epoch) {
		t.Errorf("read %+v", e)
	}
}

func TestEachDifferenceIsSeen(t *testing.T) {
	tests := []struct {
		name   string
		change func(dir string) error
		want   string
	}{
		{"content", func(d string) error { return rewrite(d+"/a/a/file", "CONTENT") }, "a/a/file: content: got "},
		{"mode", func(d string) error { return os.Chmod(d+"/a/a", 0o700) }, "a/a: mode: got 0700, want 0750"},
		{"time", func(d string) error { return os.Chtimes(d+"/a", time.Unix(5, 1), time.Unix(5, 1)) }, "a: time: got 1970-01-01T00:00:05.000000001Z, want 2020-"},
		{"xattr changed", func(d string) error { return unix.Setxattr(d+"/a/a/file", "user.k", []byte("w"), 0) }, `a/a/file: xattr user.k: got "w", want "v"`},
		{"xattr gone", func(d string) error { return unix.Removexattr(d+"/a/a/file", "user.k") }, `a/a/file: xattr user.k: missing, want "v"`},
		{"xattr more", func(d string) error { return unix.Setxattr(d+"/a", "user.n", nil, 0) }, `a: xattr user.n: unexpected ""`},
		{"target", func(d string) error { return swap(d+"/s", func(p string) error { return os.Symlink("x", p) }) }, `s: target: got "x", want "a/../nowhere"`},
		{"type", func(d string) error { return swap(d+"/s", func(p string) error { return os.Mkdir(p, 0o777) }) }, "s: type: got directory, want symlink"},
		{"links", func(d string) error {
			return swap(d+"/a/other", func(p string) error { return os.WriteFile(p, []byte("content"), 0o600) })
		}, `a/other: links: got "", want "a/a/file"`},
		{"missing", func(d string) error { return os.Remove(d + "/p") }, "p: entry: missing, want a fifo"},
		{"unexpected", func(d string) error { return os.Mkdir(d+"/n", 0o700) }, "n: entry: unexpected directory"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, want := t.TempDir(), t.TempDir()
			treetest.Make(t, got, items()...)
			treetest.Make(t, want, items()...)
			if err := test.change(got); err != nil {
				t.Fatal(err)
			}
			differences := treetest.Compare(treetest.Read(t, got), treetest.Read(t, want))
			if !slices.ContainsFunc(differences, func(d string) bool { return strings.HasPrefix(d, test.want) }) {
				t.Errorf("got %q, want a line that begins with %q", differences, test.want)
			}
		})
	}
}

// rewrite changes a file's content in place.
func rewrite(file, content string) error { return os.WriteFile(file, []byte(content), 0) }

// swap puts something else in the place of a file, and leaves its directory's
// time alone.
func swap(file string, with func(string) error) error {
	if err := os.Remove(file); err != nil {
		return err
	}
	return with(file)
}

func TestOwnersAndDevicesAreCompared(t *testing.T) {
	needs.Root(t, "files of others and devices")
	got, want := t.TempDir(), t.TempDir()
	treetest.Make(t, got, treetest.File("f", "").Owner(7, 8), treetest.CharDevice("c", 1, 3))
	treetest.Make(t, want, treetest.File("f", "").Owner(7, 9), treetest.CharDevice("c", 1, 5))
	d := strings.Join(treetest.Compare(treetest.Read(t, got), treetest.Read(t, want), treetest.IgnorePath(".", treetest.FieldTime)), "; ")
	if d != "c: device: got 1:3, want 1:5; f: owner: got 7:8, want 7:9" {
		t.Errorf("got %q", d)
	}
}

func TestHolesEqualZeros(t *testing.T) {
	got, want := t.TempDir(), t.TempDir()
	for _, d := range []string{got, want} {
		if err := os.WriteFile(d+"/f", append(make([]byte, 3<<20), 'x'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sparse, err := os.Create(filepath.Join(got, "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer sparse.Close()
	if _, err := sparse.WriteAt([]byte("x"), 3<<20); err != nil {
		t.Fatal(err)
	}
	treetest.Equal(t, got, want, treetest.IgnoreFields(treetest.FieldTime))
	if err := sparse.Truncate(1 << 43); err != nil {
		t.Fatal(err)
	}
	if e := treetest.Read(t, got)["f"]; e.Size != 1<<43 {
		t.Errorf("read %+v", e)
	}
}

func TestTarHoldsTheItems(t *testing.T) {
	data := treetest.Tar(t, treetest.Dir("d"), treetest.File("d/f", "x").Xattr("user.k", "v").Record("SCHILY.xattr.user.l", "w"),
		treetest.Whiteout("d/gone"), treetest.Opaque("d"))
	var names []string
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if h.Name == "d/f" && (h.PAXRecords["SCHILY.xattr.user.k"] != "v" || h.PAXRecords["SCHILY.xattr.user.l"] != "w") {
			t.Errorf("d/f has the records %v", h.PAXRecords)
		}
		if !h.ModTime.Equal(treetest.Epoch) {
			t.Errorf("%s has the time %v", h.Name, h.ModTime)
		}
	}
	if got := strings.Join(names, " "); got != "d/ d/f d/.wh.gone d/.wh..wh..opq" && got != "d d/f d/.wh.gone d/.wh..wh..opq" {
		t.Errorf("got the names %s", got)
	}
}
