package rootfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/conformance/treetest"
)

// needLists skips the test of a way to mount that the kernel does not have.
func needLists(t *testing.T, way string) {
	t.Helper()
	if way == "lists" && !takesLists() {
		needs.Kernel(t, needs.Feature{Name: "overlayfs with lists of layers", Since: "6.7"}, unix.EINVAL)
	}
}

// ways are the two ways to mount: with the kernel's new calls, and with mount(2).
var ways = []struct {
	name  string
	mount func(Spec, *layers) error
}{
	{"lists", func(s Spec, l *layers) error { return s.mount(l) }},
	{"classic", func(s Spec, l *layers) error { return s.mountClassic(l) }},
}

func TestMount(t *testing.T) {
	needMounts(t)
	tests := []struct {
		name     string
		layers   int
		writable bool
		change   func(*Spec)
	}{
		{name: "one layer to read", layers: 1},
		{name: "two layers to read", layers: 2},
		{name: "nothing below", writable: true},
		{name: "one layer below", layers: 1, writable: true},
		{name: "500 layers", layers: MaxLayers, writable: true},
		{name: "499 layers to read", layers: MaxLayers - 1},
		{name: "volatile", layers: 2, writable: true, change: func(s *Spec) { s.Volatile = true }},
		{name: "read-only", layers: 2, writable: true, change: func(s *Spec) { s.ReadOnly = true }},
	}
	for _, test := range tests {
		for _, way := range ways {
			t.Run(test.name+", "+way.name, func(t *testing.T) {
				needLists(t, way.name)
				lower := layerDirs(t, test.layers)
				for _, i := range someOf(lower) {
					treetest.Make(t, lower[i], treetest.File(fmt.Sprint("f", i), "x"), treetest.File("all", fmt.Sprint(i)))
				}
				s := spec(t, lower, test.writable)
				if test.change != nil {
					test.change(&s)
				}
				l, err := openLayers(s)
				if err != nil {
					t.Fatal(err)
				}
				if err := way.mount(s, l); err != nil {
					t.Fatal(err)
				}
				l.close()
				checkMounted(t, s)
				if err := Unmount(s.Target); err != nil {
					t.Error(err)
				}
				if names, err := os.ReadDir(s.Target); err != nil || len(names) > 0 {
					t.Errorf("after unmounting the target has %v, %v", names, err)
				}
			})
		}
	}
}

// TestMountOfThread mounts on a thread that has left the process's mounts: there, and
// only there.
func TestMountOfThread(t *testing.T) {
	needMounts(t)
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			needLists(t, way.name)
			s := spec(t, layerDirs(t, 2), true)
			done := make(chan error)
			go func() {
				runtime.LockOSThread() // never unlocked
				done <- mountAway(s, way.mount)
			}()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if mounted, err := isMount(s.Target); err != nil || mounted {
				t.Errorf("outside the thread: mounted %t, %v", mounted, err)
			}
		})
	}
}

// mountAway mounts in a mount namespace of this thread's own.
func mountAway(s Spec, mount func(Spec, *layers) error) error {
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	l, err := openLayers(s)
	if err != nil {
		return err
	}
	defer l.close()
	if err := mount(s, l); err != nil {
		return err
	}
	if mounted, err := isMount(s.Target); err != nil || !mounted {
		return fmt.Errorf("in the thread: mounted %t, %w", mounted, err)
	}
	return nil
}

func isMount(dir string) (bool, error) {
	f, err := openPath(dir)
	if err != nil {
		return false, err
	}
	defer f.Close()
	_, root, err := mountOf(f)
	return root, err
}

// someOf are the numbers of the layers that have files: of many, not all.
func someOf(lower []string) (some []int) {
	for i := range lower {
		if i < 2 || i%50 == 0 || i == len(lower)-1 {
			some = append(some, i)
		}
	}
	return some
}

// checkMounted looks for the layers' files, and writes.
func checkMounted(t *testing.T, s Spec) {
	t.Helper()
	for _, i := range someOf(s.Lower) {
		if _, err := os.Stat(filepath.Join(s.Target, fmt.Sprint("f", i))); err != nil {
			t.Error(err)
		}
	}
	if data, _ := os.ReadFile(s.Target + "/all"); len(s.Lower) > 0 && string(data) != "0" {
		t.Errorf("the nearest layer's file reads %q", data)
	}
	err := os.WriteFile(s.Target+"/new", nil, 0o600)
	if s.Upper == "" || s.ReadOnly {
		if !errors.Is(err, unix.EROFS) {
			t.Errorf("writing: got %v, want EROFS", err)
		}
		return
	}
	if _, statErr := os.Stat(s.Upper + "/new"); err != nil || statErr != nil {
		t.Errorf("writing: %v, %v", err, statErr)
	}
	if len(s.Lower) > 0 {
		if err := errors.Join(os.RemoveAll(s.Target+"/all"), os.Mkdir(s.Target+"/all", 0o700)); err != nil {
			t.Error(err)
		}
	}
}

func TestMountTakesAnyName(t *testing.T) {
	needMounts(t)
	for _, way := range ways {
		if way.name == "lists" && !takesLists() {
			continue
		}
		long := strings.Repeat("x", 200)
		dir := filepath.Join(t.TempDir(), `a,b:c\d=`, long, long)
		s := Spec{Lower: []string{dir + "/1", dir + "/2"}, Upper: dir + "/u", Work: dir + "/w", Target: dir + "/t", Userxattr: userxattr}
		for _, d := range append(s.Lower, s.Upper, s.Work, s.Target) {
			if err := os.MkdirAll(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		l, err := openLayers(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := way.mount(s, l); err != nil {
			t.Errorf("%s: %v", way.name, err)
		}
		l.close()
		if err := Unmount(s.Target); err != nil {
			t.Error(err)
		}
	}
}

func TestMountRefuses(t *testing.T) {
	needMounts(t)
	one := layerDirs(t, 1)[0]
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(one, link); err != nil {
		t.Fatal(err)
	}
	full := t.TempDir()
	treetest.Make(t, full, treetest.File("f", ""))
	tests := []struct {
		name string
		spec Spec
		want string
	}{
		{"no target", Spec{Lower: []string{one}}, "no target"},
		{"no layers", Spec{Target: "/t"}, "no layers"},
		{"too many", Spec{Target: "/t", Lower: make([]string, MaxLayers+1)}, "501 layers, and overlayfs takes 500"},
		{"no work", Spec{Target: "/t", Upper: "/u"}, "go together"},
		{"volatile", Spec{Target: "/t", Lower: []string{one}, Volatile: true}, "volatile without a writable layer"},
		{"a layer that is not there", Spec{Target: full, Lower: []string{one, "/not/there"}}, "the layer: open /not/there: no such file or directory"},
		{"a layer that is a link", Spec{Target: full, Lower: []string{one, link}}, "link: not a directory"},
		{"a target that is a link", Spec{Target: link, Lower: []string{one, one}}, "link: not a directory"},
		{"a full target as a layer", Spec{Target: full, Lower: []string{one}}, "the directory is not empty"},
		{"a writable layer elsewhere", Spec{Target: full, Lower: []string{one}, Upper: full, Work: "/proc"}, ": invalid argument"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := Mount(t.Context(), test.spec)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, test.want)
			}
		})
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Mount(cancelled, spec(t, []string{one}, false)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestMountTwice(t *testing.T) {
	needMounts(t)
	s := spec(t, layerDirs(t, 2), false)
	mount(t, s)
	if err := Mount(t.Context(), s); !errors.Is(err, ErrMounted) {
		t.Errorf("mounting again: got %v", err)
	}
}

func TestUnmountTouchesNothingElse(t *testing.T) {
	needMounts(t)
	t.Run("nothing there", func(t *testing.T) {
		if err := errors.Join(Unmount(t.TempDir()), Unmount("/not/there")); err != nil {
			t.Error(err)
		}
	})
	t.Run("a tmpfs", func(t *testing.T) {
		dir := t.TempDir()
		foreign(t, "tmpfs", dir, "")
		if err := Unmount(dir); !errors.Is(err, ErrNotOurs) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("another's overlay", func(t *testing.T) {
		dir, l := t.TempDir(), layerDirs(t, 2)
		foreign(t, "overlay", dir, "lowerdir="+l[0]+":"+l[1])
		if err := Unmount(dir); !errors.Is(err, ErrNotOurs) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a directory in a mount of ours, and a link to it", func(t *testing.T) {
		l := layerDirs(t, 2)
		treetest.Make(t, l[0], treetest.Dir("d"))
		s := spec(t, l, false)
		mount(t, s)
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(s.Target, link); err != nil {
			t.Fatal(err)
		}
		if err := Unmount(s.Target + "/d"); err != nil {
			t.Error(err)
		}
		if err := Unmount(link); !errors.Is(err, unix.ENOTDIR) {
			t.Errorf("a link to a mount of ours: got %v", err)
		}
		if _, err := os.Stat(s.Target + "/d"); err != nil {
			t.Errorf("the mount has gone: %v", err)
		}
	})
	t.Run("another's mount above ours", func(t *testing.T) {
		s := spec(t, layerDirs(t, 2), false)
		mount(t, s)
		foreign(t, "tmpfs", s.Target, "")
		if err := Unmount(s.Target); !errors.Is(err, ErrNotOurs) {
			t.Errorf("got %v", err)
		}
		if err := unix.Unmount(s.Target, 0); err != nil {
			t.Error(err)
		}
	})
}

// foreign mounts what Mount did not, until the test ends.
func foreign(t *testing.T, kind, dir, options string) {
	t.Helper()
	if err := unix.Mount(kind, dir, kind, 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
}

func TestUnmountOfABusyMount(t *testing.T) {
	needMounts(t)
	l := layerDirs(t, 2)
	treetest.Make(t, l[0], treetest.File("f", "x"))
	s := spec(t, l, false)
	mount(t, s)
	f, err := os.Open(s.Target + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Unmount(s.Target); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.Target + "/f"); !os.IsNotExist(err) {
		t.Errorf("still mounted: %v", err)
	}
}

func TestRedirectsAreNeitherMadeNorFollowed(t *testing.T) {
	needMounts(t)
	l := layerDirs(t, 2)
	treetest.Make(t, l[1], treetest.Dir("d"), treetest.File("d/f", "x"), treetest.File("secret/f", "y"))
	treetest.Make(t, l[0], treetest.Dir("r").Xattr(string(marks(userxattr))+"redirect", "/secret"))
	s := spec(t, l, true)
	mount(t, s)
	if _, err := os.Stat(s.Target + "/r/f"); err == nil {
		t.Error("a layer's redirect was followed")
	}
	if err := os.Rename(s.Target+"/d", s.Target+"/e"); !errors.Is(err, unix.EXDEV) {
		t.Errorf("renaming a directory of a lower layer: got %v, want EXDEV", err)
	}
}

func TestVolatileMountsAgain(t *testing.T) {
	needMounts(t)
	s := spec(t, layerDirs(t, 1), true)
	s.Volatile = true
	for range 2 {
		if err := Mount(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(s.Target+"/f", nil, 0o600), Unmount(s.Target)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(s.Work, bootRecord), []byte("another boot\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s.Volatile = range []bool{true, false} {
		if err := Mount(t.Context(), s); !errors.Is(err, ErrVolatile) {
			t.Errorf("after another boot, volatile %v: got %v", s.Volatile, err)
		}
	}
}

func TestMakeWritable(t *testing.T) {
	needMounts(t)
	l := layerDirs(t, 2)
	treetest.Make(t, l[0], treetest.Dir(".").Mode(0o751).Owner(3, 4).Xattr("user.k", "v"))
	dir := filepath.Join(t.TempDir(), "a/b")
	w, err := MakeWritable(dir, userxattr, l)
	if err != nil {
		t.Fatal(err)
	}
	treetest.Equal(t, w.Upper(), l[0])
	treetest.Make(t, w.Upper(), treetest.File("kept", ""))
	if _, err := MakeWritable(dir, userxattr, l); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(w.Upper() + "/kept"); err != nil {
		t.Error(err)
	}
}
