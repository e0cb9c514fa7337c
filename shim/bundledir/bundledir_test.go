package bundledir

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/davit-containers/davit/bundle/config"
	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/conformance/needs"
)

// anImage is an image of the store with one layer, of the files of a directory.
func anImage(t *testing.T, s *store.Store, c v1.Config, tar string) *store.Image {
	t.Helper()
	file, err := os.Open(tar)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	img, err := s.Import(context.Background(), file, store.CommitOptions{Change: func(f *image.Config) { f.Config = c }})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func opened(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// archive packs a directory.
func archive(t *testing.T, fill func(dir string)) string {
	t.Helper()
	dir := t.TempDir()
	fill(dir)
	out := filepath.Join(t.TempDir(), "files.tar")
	run(t, "tar", "-C", dir, "--owner=0", "--group=0", "-cf", out, ".")
	return out
}

var facts = config.Facts{Arch: "amd64", Kernel: [2]int{6, 1}, CPUs: 1, LastCapability: 40}

func wanted(s *store.Store, img *store.Image, dir string, form Form) Wanted {
	return Wanted{Store: s, Image: img, Dir: dir, Form: form, Facts: facts, Options: config.Options{Command: []string{"/x"}}}
}

// holds are how many images are kept.
func holds(t *testing.T, s *store.Store) int {
	t.Helper()
	all, err := s.Holds()
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestVolumesOutside: a volume of the image lies behind a link to the host, or
// above the root. Nothing is made there.
// CVE-2022-23648.
func TestVolumesOutside(t *testing.T) {
	needs.Root(t, "it unpacks layers")
	host := t.TempDir()
	tar := archive(t, func(dir string) {
		if err := errors.Join(os.Symlink(host, filepath.Join(dir, "out")), os.Symlink("../../../../../../../.."+host, filepath.Join(dir, "up"))); err != nil {
			t.Fatal(err)
		}
	})
	s := opened(t)
	img := anImage(t, s, v1.Config{Volumes: map[string]struct{}{"/out/a": {}, "/up/b": {}, "/../../../" + host + "/c": {}}}, tar)
	for _, form := range []Form{Overlay, Plain} {
		b, err := Make(context.Background(), wanted(s, img, filepath.Join(t.TempDir(), "b"), form))
		if err == nil {
			defer b.Remove(s)
			if _, err := os.Stat(filepath.Join(b.Rootfs(), host, "c")); err != nil {
				t.Errorf("%s: the volume is not below the root: %v", form, err)
			}
		}
		if left, _ := os.ReadDir(host); len(left) > 0 {
			t.Errorf("%s: made on the host: %v (%v)", form, left, err)
		}
	}
}

// TestUserOfTheHost: the image's passwd is a link to the host's.
func TestUserOfTheHost(t *testing.T) {
	needs.Root(t, "it unpacks layers")
	tar := archive(t, func(dir string) {
		if err := errors.Join(os.Mkdir(filepath.Join(dir, "etc"), 0o755), os.Symlink("../../../../../../../../../etc/passwd", filepath.Join(dir, "etc/passwd"))); err != nil {
			t.Fatal(err)
		}
	})
	s := opened(t)
	dir := filepath.Join(t.TempDir(), "b")
	_, err := Make(context.Background(), wanted(s, anImage(t, s, v1.Config{User: "daemon"}, tar), dir, ""))
	if err == nil || !strings.Contains(err.Error(), `user "daemon"`) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) || holds(t, s) != 0 {
		t.Errorf("something is left: %v, %d holds", err, holds(t, s))
	}
}

// TestWhateverWasDone: a bundle of which a killed process made only the first
// parts can be removed, and made anew.
func TestWhateverWasDone(t *testing.T) {
	needs.Root(t, "it unpacks layers and mounts them")
	s := opened(t)
	img := anImage(t, s, v1.Config{}, archive(t, func(string) {}))
	w := wanted(s, img, filepath.Join(t.TempDir(), "b"), "")
	b := &Bundle{Dir: w.Dir, Record: Record{Store: s.Root(), Hold: holdName(w.Dir), Image: img.Descriptor().Digest.String()}}
	ctx := context.Background()
	for name, part := range map[string]func() error{
		"record": func() error { return nil },
		"hold":   func() error { return s.Hold(ctx, img, b.Hold) },
		"rootfs": func() error { return errors.Join(s.Hold(ctx, img, b.Hold), b.makeRootfs(ctx, w)) },
		"all":    func() error { return b.fill(ctx, w) },
	} {
		if _, err := b.begin(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := part(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		found, err := Open(w.Dir)
		if err == nil {
			err = found.Remove(s)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(w.Dir); !errors.Is(err, os.ErrNotExist) || holds(t, s) != 0 {
			t.Errorf("%s: something is left: %v, %d holds", name, err, holds(t, s))
		}
	}
}

func TestHoldNames(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, "/a b/ü/*", "/" + strings.Repeat("x", 4000)} {
		name := holdName(path)
		if len(name) > 255 || strings.Contains(name, "/") {
			t.Errorf("%q", name)
		}
		if at := At(name); at != path && len(path) < 100 {
			t.Errorf("%q is at %q", path, at)
		}
	}
	if !Gone(holdName(dir)) {
		t.Error("no bundle is there, and it is not gone")
	}
	if err := os.WriteFile(filepath.Join(dir, recordName), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, hold := range []string{holdName(dir), "container-x", holdPrefix + "!", holdName("/" + strings.Repeat("x", 4000))} {
		if Gone(hold) {
			t.Errorf("%s is gone", hold)
		}
	}
}

// TestForeignRecord: what is no record is not followed.
func TestForeignRecord(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(t.TempDir(), "other")
	if err := errors.Join(os.WriteFile(other, []byte("{}"), 0o600), os.Symlink(other, filepath.Join(dir, recordName))); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil {
		t.Error("a link is followed")
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNotBundle) {
		t.Errorf("got %v", err)
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
}
