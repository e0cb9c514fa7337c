package rootfs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/treetest"
)

func TestRemoveStaysInside(t *testing.T) {
	canary := t.TempDir()
	treetest.Make(t, canary, treetest.File("f", "x"))
	before := treetest.Read(t, canary)
	dir := filepath.Join(t.TempDir(), "r")
	treetest.Make(t, t.TempDir(), treetest.Dir("."))
	if err := os.MkdirAll(dir+"/a/b", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{dir + "/l", dir + "/a/l"} {
		if err := os.Symlink(canary, link); err != nil {
			t.Fatal(err)
		}
	}
	if err := Remove(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
	link := filepath.Join(t.TempDir(), "l")
	if err := errors.Join(os.Symlink(canary, link), Remove(link), Remove("/not/there")); err != nil {
		t.Error(err)
	}
	treetest.EqualTrees(t, treetest.Read(t, canary), before)
}

func TestRemoveLeavesMountsAlone(t *testing.T) {
	needMounts(t)
	canary := t.TempDir()
	treetest.Make(t, canary, treetest.File("f", "x"))
	dir := filepath.Join(t.TempDir(), "r")
	if err := os.MkdirAll(dir+"/a/m", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(canary, dir+"/a/m", "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(dir+"/a/m", unix.MNT_DETACH) })
	if err := Remove(dir); !errors.Is(err, unix.EXDEV) {
		t.Errorf("got %v, want EXDEV", err)
	}
	if _, err := os.Stat(canary + "/f"); err != nil {
		t.Error(err)
	}
}

func TestRemoveUnmountsOurs(t *testing.T) {
	needMounts(t)
	l := layerDirs(t, 2)
	treetest.Make(t, l[0], treetest.File("f", "x"))
	s := spec(t, l, true)
	mount(t, s)
	if err := Remove(s.Target); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(l[0] + "/f"); err != nil {
		t.Errorf("a file of the layer has gone: %v", err)
	}
	if err := Remove(filepath.Dir(s.Upper)); err != nil {
		t.Error(err)
	}
}
