package volume

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/libcontainer/rootpath"
)

// image is a tree with everything that a file can be, at /srv of a root.
func image(t testing.TB) *os.File {
	t.Helper()
	root := t.TempDir()
	srv := filepath.Join(root, "srv")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.MkdirAll(filepath.Join(srv, "dir/sub"), 0o755))
	check(os.WriteFile(filepath.Join(srv, "file"), []byte("content"), 0o640))
	check(os.WriteFile(filepath.Join(srv, "dir/empty"), nil, 0o600))
	check(os.Link(filepath.Join(srv, "file"), filepath.Join(srv, "dir/sub/link")))
	check(os.Symlink("/etc/passwd", filepath.Join(srv, "absolute")))
	check(os.Symlink("../../..", filepath.Join(srv, "dir/up")))
	check(unix.Mkfifo(filepath.Join(srv, "fifo"), 0o622))
	check(unix.Mknod(filepath.Join(srv, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	sparse, err := os.Create(filepath.Join(srv, "sparse"))
	check(err)
	_, err = sparse.WriteAt([]byte("middle"), 1<<30)
	check(err)
	check(sparse.Truncate(2 << 30))
	check(sparse.Close())
	check(unix.Setxattr(filepath.Join(srv, "file"), "user.color", []byte("blue"), 0))
	check(unix.Setxattr(filepath.Join(srv, "dir"), "trusted.t", []byte{0, 1}, 0))
	check(unix.Setxattr(filepath.Join(srv, "dir"), "trusted.overlay.opaque", []byte("y"), 0))
	check(unix.Lsetxattr(filepath.Join(srv, "absolute"), "trusted.l", []byte("link"), 0))
	capability := []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} // cap_net_bind_service+p
	check(os.WriteFile(filepath.Join(srv, "capable"), []byte("x"), 0o755))
	check(os.Lchown(filepath.Join(srv, "capable"), 7, 8))
	check(unix.Setxattr(filepath.Join(srv, "capable"), "security.capability", capability, 0))
	check(os.WriteFile(filepath.Join(srv, "setuid"), []byte("x"), 0o755))
	for i, name := range []string{"absolute", "fifo", "null", "dir/sub", "setuid", "."} {
		check(os.Lchown(filepath.Join(srv, name), 1000+i, 2000+i))
	}
	check(os.Chmod(filepath.Join(srv, "setuid"), 0o755|fs.ModeSetuid|fs.ModeSetgid))
	check(os.Chmod(filepath.Join(srv, "dir"), 0o755|fs.ModeSticky))
	check(os.Chmod(srv, 0o750))
	check(unix.Chmod(filepath.Join(srv, "fifo"), 0o622))
	times := []unix.Timespec{{Sec: 1, Nsec: 2}, {Sec: 3, Nsec: 4}}
	for _, name := range []string{"absolute", "dir/sub", "dir", "file", "."} {
		check(unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(srv, name), times, unix.AT_SYMLINK_NOFOLLOW))
	}
	return open(t, root)
}

func open(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// describe tells everything about a tree but its content.
func describe(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	links := map[uint64]string{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		target, _ := os.Readlink(path)
		first := links[st.Ino]
		if links[st.Ino] == "" {
			links[st.Ino] = name
		}
		size := st.Size
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			size = 0
		}
		fmt.Fprintf(&b, "%s %o %d:%d size %d rdev %x mtime %d.%d -> %q = %q%s\n", name, st.Mode, st.Uid, st.Gid, size, st.Rdev, st.Mtim.Sec, st.Mtim.Nsec, target, first, xattrs(path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func xattrs(path string) (all string) {
	list, value := make([]byte, 4096), make([]byte, 4096)
	n, _ := unix.Llistxattr(path, list)
	for name := range strings.SplitSeq(string(list[:max(0, n)]), "\x00") {
		if n, err := unix.Lgetxattr(path, name, value); err == nil && !strings.HasPrefix(name, "trusted.overlay.") {
			all += fmt.Sprintf(" %s=%x", name, value[:n])
		}
	}
	return all
}

func TestFill(t *testing.T) {
	needs.Root(t, "it makes files of others, devices and trusted attributes")
	s := newStore(t)
	create(t, s, "data")
	root := image(t)
	v, err := s.Use("data", "c", &Image{root, "/srv"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := describe(t, v.Path), describe(t, filepath.Join(root.Name(), "srv")); got != want {
		t.Errorf("the copy is\n%s\nwant\n%s", got, want)
	}
	if n, _ := unix.Lgetxattr(filepath.Join(v.Path, "dir"), "trusted.overlay.opaque", make([]byte, 9)); n > 0 {
		t.Error("an attribute of overlayfs was copied")
	}
	if data, err := os.ReadFile(filepath.Join(v.Path, "dir/sub/link")); string(data) != "content" {
		t.Errorf("content: %q, %v", data, err)
	}
	sparse := open(t, filepath.Join(v.Path, "sparse"))
	data := make([]byte, 8)
	if _, err := sparse.ReadAt(data, 1<<30-1); err != nil || string(data) != "\x00middle\x00" {
		t.Errorf("sparse: %q, %v", data, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(sparse.Fd()), &st); err != nil || st.Blocks > 1000 {
		t.Errorf("sparse: %d blocks, %v", st.Blocks, err)
	}
}

// A volume is filled at its first use, if it is empty then.
func TestFillOnce(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "srv"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "srv", "f"), []byte("image"), 0o600); err != nil {
		t.Fatal(err)
	}
	from := &Image{open(t, root), "/srv"}
	tests := []struct {
		name   string
		before func(s *Store, v Volume) error
		from   *Image
		want   string // its files
	}{
		{"empty", func(*Store, Volume) error { return nil }, from, "f"},
		{"with files", func(_ *Store, v Volume) error { return os.WriteFile(filepath.Join(v.Path, "mine"), nil, 0o600) }, from, "mine"},
		{"not there in the image", func(*Store, Volume) error { return nil }, &Image{from.Root, "/none/such"}, ""},
		{"a file in the image", func(*Store, Volume) error { return nil }, &Image{from.Root, "/srv/f"}, ""},
		{"used without an image before", func(s *Store, v Volume) error { _, err := s.Use(v.Name, "other", nil); return err }, from, ""},
		{"emptied after the first use", func(s *Store, v Volume) error {
			_, err := s.Use(v.Name, "other", from)
			return errors.Join(err, os.Remove(filepath.Join(v.Path, "f")))
		}, from, ""},
		{"a copy that was killed", func(_ *Store, v Volume) error {
			return os.MkdirAll(filepath.Join(filepath.Dir(v.Path), copying+"1", "half"), 0o700)
		}, from, "f"},
		{"up and down", func(*Store, Volume) error { return nil }, &Image{from.Root, "/../../srv/../../srv"}, "f"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t)
			if err := tt.before(s, create(t, s, "data")); err != nil {
				t.Fatal(err)
			}
			v, err := s.Use("data", "c", tt.from)
			if err != nil || v.Fresh {
				t.Fatalf("%+v, %v", v, err)
			}
			entries, _ := os.ReadDir(v.Path)
			var got []string
			for _, e := range entries {
				got = append(got, e.Name())
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(v.Path), copying+"*")); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// Two containers that begin at once both see the whole copy.
func TestFillTogether(t *testing.T) {
	root := t.TempDir()
	for i := range 200 {
		if err := os.WriteFile(filepath.Join(root, fmt.Sprint(i)), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	from := &Image{open(t, root), "/"}
	s := newStore(t)
	create(t, s, "data")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			v, err := s.Use("data", fmt.Sprint("c", i), from)
			if err != nil {
				t.Error(err)
				return
			}
			if entries, err := os.ReadDir(v.Path); err != nil || len(entries) != 200 {
				t.Errorf("%d files, %v", len(entries), err)
			}
		})
	}
	wg.Wait()
}

// An image whose directory is a link, or has links in it, leads to nothing of
// the host.
func TestFillLinks(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for name, target := range map[string]string{"abs": outside, "up": "../../../../../../../.." + outside, "magic": "/proc/self/cwd", "loop": "loop"} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	from := open(t, root)
	for i, path := range []rootpath.InRoot{"/abs", "/up", "/magic", "/abs/.", "/loop"} {
		s := newStore(t)
		create(t, s, "data")
		v, err := s.Use("data", "c", &Image{from, path})
		if path == "/loop" {
			if !errors.Is(err, unix.ELOOP) {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
		if entries, _ := os.ReadDir(v.Path); len(entries) > 0 {
			t.Errorf("%s: copied %v", path, entries)
		}
	}
}

func TestFillDeep(t *testing.T) {
	root := t.TempDir()
	dir, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	for range maxDepth + 2 {
		if err := dir.Mkdir("d", 0o700); err != nil {
			t.Fatal(err)
		}
		next, err := dir.OpenRoot("d")
		if err != nil {
			t.Fatal(err)
		}
		dir.Close()
		dir = next
	}
	dir.Close()
	s := newStore(t)
	create(t, s, "data")
	_, err = s.Use("data", "c", &Image{open(t, root), "/"})
	if err == nil || !strings.Contains(err.Error(), "nested more than") || len(err.Error()) > 300 {
		t.Errorf("got %v", err)
	}
}

// While the tree is copied, somebody exchanges directories and files with links
// that lead out of it. Nothing of outside is copied, and nothing outside is
// changed.
func TestFillRaced(t *testing.T) {
	outside := t.TempDir()
	secret := filepath.Join(outside, "f")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := describe(t, outside)
	root := t.TempDir()
	for i := range 20 {
		dir := filepath.Join(root, "srv", fmt.Sprint(i))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"f", "file"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("image"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(os.Symlink(outside, dir+"-link"), os.Symlink(secret, filepath.Join(dir, "file-link"))); err != nil {
			t.Fatal(err)
		}
	}
	var stop atomic.Bool
	var exchanges atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for !stop.Load() {
			for i := range 20 {
				dir := filepath.Join(root, "srv", fmt.Sprint(i))
				unix.Renameat2(unix.AT_FDCWD, filepath.Join(dir, "file"), unix.AT_FDCWD, filepath.Join(dir, "file-link"), unix.RENAME_EXCHANGE)
				unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, dir+"-link", unix.RENAME_EXCHANGE)
				exchanges.Add(1)
			}
		}
	})
	from := open(t, root)
	s := newStore(t)
	copies := 0
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end) || copies < 3; copies++ {
		v := create(t, s, "")
		if _, err := s.Use(v.Name, "c", &Image{from, "/srv"}); err != nil {
			t.Error(err)
		}
		noSecret(t, v.Path)
		if _, err := s.Release("c"); err != nil {
			t.Fatal(err)
		}
		if err := s.Remove(v.Name); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	wg.Wait()
	if after := describe(t, outside); after != before {
		t.Errorf("outside is %s, was %s", after, before)
	}
	if exchanges.Load() < 100 || copies < 3 {
		t.Errorf("no race: %d exchanges, %d copies", exchanges.Load(), copies)
	}
}

// noSecret checks that no file of a copy has the content of the one outside.
func noSecret(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte("secret")) {
			t.Fatalf("%s is from outside", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
