package volume

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

func newStore(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "volumes"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func create(t testing.TB, s *Store, name string) Volume {
	t.Helper()
	v, err := s.Create(CreateOptions{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// names are those of all volumes.
func names(t testing.TB, s *Store) string {
	t.Helper()
	all, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range all {
		names = append(names, v.Name)
	}
	return strings.Join(names, " ")
}

func TestLife(t *testing.T) {
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	s := newStore(t)
	v, err := s.Create(CreateOptions{Name: "data", Labels: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if again := create(t, s, "data"); fmt.Sprint(again) != fmt.Sprint(v) {
		t.Errorf("made again: %+v, was %+v", again, v)
	}
	anonymous, err := s.Create(CreateOptions{})
	if err != nil || len(anonymous.Name) != 64 || !anonymous.Anonymous || v.Anonymous {
		t.Errorf("anonymous: %+v, %v", anonymous, err)
	}
	for path, want := range map[string]os.FileMode{s.root: 0o711, filepath.Dir(v.Path): 0o711, v.Path: 0o755} {
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v", path, fi.Mode(), err)
		}
	}
	for _, c := range []string{"c1", "c2", "c1"} {
		if _, err := s.Use("data", c, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Use(anonymous.Name, "c1", nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get("data"); err != nil || fmt.Sprint(got.Users) != "[c1 c2]" || got.Labels["a"] != "b" || got.Fresh {
		t.Errorf("used: %+v, %v", got, err)
	}
	if err := s.Remove("data"); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "c1, c2") {
		t.Errorf("removed while it is used: %v", err)
	}
	unused, err := s.Release("c1")
	if err != nil || len(unused) != 1 || unused[0].Name != anonymous.Name {
		t.Errorf("released: %+v, %v", unused, err)
	}
	if unused, err := s.Release("c2"); err != nil || len(unused) != 0 {
		t.Errorf("released: %+v, %v", unused, err)
	}
	for _, name := range []string{"data", anonymous.Name} {
		if err := s.Remove(name); err != nil {
			t.Error(err)
		}
		if err := s.Remove(name); !errors.Is(err, ErrNotExist) {
			t.Errorf("removed again: %v", err)
		}
	}
	if _, err := s.Use("data", "c1", nil); !errors.Is(err, ErrNotExist) {
		t.Errorf("used when it is gone: %v", err)
	}
	if entries, _ := os.ReadDir(s.root); len(entries) != 1 {
		t.Errorf("left: %v", entries)
	}
}

func TestNames(t *testing.T) {
	s := newStore(t)
	for _, name := range []string{"a", "..", "../x", "a/b", ".new-x", "a b", "a\n", "-a", strings.Repeat("a", 129)} {
		if _, err := s.Create(CreateOptions{Name: name}); err == nil {
			t.Errorf("volume %q was made", name)
		}
		if err := s.Remove(name); err == nil {
			t.Errorf("volume %q was removed", name)
		}
		if _, err := s.Get(name); err == nil {
			t.Errorf("volume %q is there", name)
		}
	}
	create(t, s, "ok")
	for _, c := range []string{"", "..", "a/b", "a\n"} {
		if _, err := s.Use("ok", c, nil); err == nil {
			t.Errorf("container %q uses it", c)
		}
		if _, err := s.Release(c); err == nil {
			t.Errorf("container %q released it", c)
		}
	}
}

func TestPrune(t *testing.T) {
	s := newStore(t)
	var anonymous []string
	for range 3 {
		v := create(t, s, "")
		anonymous = append(anonymous, v.Name)
	}
	named := create(t, s, "named")
	if err := os.WriteFile(filepath.Join(s.path(anonymous[0]), dataDir, "f"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(s.path(anonymous[0]), dataDir, "f"), filepath.Join(s.path(anonymous[0]), dataDir, "g")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Use(anonymous[1], "c", nil); err != nil {
		t.Fatal(err)
	}
	removed, bytes, err := s.Prune(func(v Volume) bool { return v.Anonymous })
	if err != nil || len(removed) != 2 || bytes < 1<<20 || bytes > 1<<20+64<<10 {
		t.Errorf("removed %d, %d bytes, %v", len(removed), bytes, err)
	}
	if got, want := names(t, s), anonymous[1]+" "+named.Name; got != want {
		t.Errorf("left: %s, want %s", got, want)
	}
}

// What a killed process left is not seen, and goes with the next lock.
func TestLeftovers(t *testing.T) {
	s := newStore(t)
	create(t, s, "data")
	for _, name := range []string{making + "1", removing + "1/x"} {
		if err := os.MkdirAll(s.path(name, dataDir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, s); got != "data" {
		t.Errorf("listed: %s", got)
	}
	if entries, _ := os.ReadDir(s.root); len(entries) != 2 {
		t.Errorf("left: %v", entries)
	}
}

// A removal that is slow, or fails, leaves no half volume.
func TestRemoveFails(t *testing.T) {
	needs.Root(t, "a mount stops the removal")
	s := newStore(t)
	v := create(t, s, "data")
	at := filepath.Join(v.Path, "mnt")
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(v.Path, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := s.Remove("data")
	gone, _ := filepath.Glob(s.path(removing+"*", "data", dataDir, "mnt"))
	if len(gone) == 1 {
		defer unix.Unmount(gone[0], unix.MNT_DETACH)
	} else {
		defer unix.Unmount(at, unix.MNT_DETACH)
	}
	if err == nil {
		t.Error("it was removed with a mount in it")
	}
	if got := names(t, s); got != "" {
		t.Errorf("listed: %s", got)
	}
	create(t, s, "data")
}

// Many at once make, use, release and remove a volume: it is there whole, or
// not at all.
func TestTogether(t *testing.T) {
	s := newStore(t)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			mine, err := Open(s.root) // as another process would
			if err != nil {
				t.Error(err)
				return
			}
			c := fmt.Sprint("c", i)
			for range 15 {
				if _, err := mine.Create(CreateOptions{Name: "data"}); err != nil {
					t.Error(err)
				}
				v, err := mine.Use("data", c, nil)
				if err != nil && !errors.Is(err, ErrNotExist) {
					t.Error(err)
				}
				if err == nil && !slices.Contains(v.Users, c) {
					t.Errorf("%s is not among %v", c, v.Users)
				}
				if _, err := os.Stat(v.Path); v.Path != "" && err != nil {
					t.Errorf("used, and not there: %v", err)
				}
				if _, err := mine.Release(c); err != nil {
					t.Error(err)
				}
				if err := mine.Remove("data"); err != nil && !errors.Is(err, ErrInUse) && !errors.Is(err, ErrNotExist) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// A volume is whole after a process that makes, fills and removes volumes was
// killed.
func TestKilled(t *testing.T) {
	if root := os.Getenv("DAVIT_TEST_VOLUME_ROOT"); root != "" {
		workForEver(root)
	}
	s := newStore(t)
	image := t.TempDir()
	for i := range 30 {
		if err := os.WriteFile(filepath.Join(image, fmt.Sprint(i)), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), "DAVIT_TEST_VOLUME_ROOT="+s.root, "DAVIT_TEST_VOLUME_IMAGE="+image)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		for range i*3 + 1 { // steps
			if _, err := out.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		cmd.Process.Kill()
		cmd.Wait()
		all, err := s.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range all {
			files, err := os.ReadDir(v.Path)
			if err != nil || len(files) != 0 && len(files) != 30 || !v.Fresh && len(files) == 0 {
				t.Fatalf("%+v has %d files, %v", v, len(files), err)
			}
		}
		if _, err := s.Release("c"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Prune(func(Volume) bool { return true }); err != nil {
			t.Fatal(err)
		}
		if entries, _ := os.ReadDir(s.root); len(entries) != 1 {
			t.Fatalf("left: %v", entries)
		}
	}
}

// workForEver writes a byte for each step.
func workForEver(root string) {
	check := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Stdout.WriteString(".")
	}
	s, err := Open(root)
	check(err)
	image, err := os.Open(os.Getenv("DAVIT_TEST_VOLUME_IMAGE"))
	check(err)
	for {
		_, err := s.Create(CreateOptions{Name: "data"})
		check(err)
		_, err = s.Use("data", "c", &Image{image, "/"})
		check(err)
		_, err = s.Release("c")
		check(err)
		check(s.Remove("data"))
	}
}
