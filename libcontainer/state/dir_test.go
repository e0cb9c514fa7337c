package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func mustCreate(t *testing.T, root, id string) *Dir {
	t.Helper()
	s := full()
	s.ID = id
	d, err := Create(root, id, s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// openLocked is Open that waits for the lock before it reads.
func openLocked(root, id string) (*Dir, *State, error) {
	d, err := open(root, id)
	if err != nil {
		return nil, nil, err
	}
	if err := d.Lock(); err != nil {
		return nil, nil, errors.Join(err, d.Close())
	}
	return d.loadOrClose()
}

func TestLifeOfAContainer(t *testing.T) {
	root := filepath.Join(t.TempDir(), "run", "davit")
	d := mustCreate(t, root, "box")
	if _, err := Create(root, "box", full()); err != ErrExist {
		t.Errorf("second create: got %v, want %v", err, ErrExist)
	}
	s := full()
	s.Phase, s.Pid = Running, 99
	if err := d.Save(s); err != nil {
		t.Fatal(err)
	}
	d.Close()

	d, got, err := openLocked(root, "box")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, s) {
		t.Errorf("got  %+v\nwant %+v", got, s)
	}
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(root, "box"); err != ErrNotExist {
		t.Errorf("open after remove: got %v, want %v", err, ErrNotExist)
	}
	if ids, err := List(root); len(ids) != 0 || err != nil {
		t.Errorf("list: got %v, %v", ids, err)
	}
}

func TestModesWhateverTheUmask(t *testing.T) {
	for _, mask := range []int{0, 0o22, 0o77, 0o777} {
		root := filepath.Join(t.TempDir(), "davit")
		old := unix.Umask(mask)
		d, err := Create(root, "box", full())
		unix.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		wantRoot := fs.FileMode(0o711)
		if os.Geteuid() != 0 {
			wantRoot = 0o700 | fs.ModeSticky
		}
		checkMode(t, root, wantRoot|fs.ModeDir)
		checkMode(t, d.Path(), 0o700|fs.ModeDir)
		checkMode(t, filepath.Join(d.Path(), fileName), 0o600)
		d.Close()
	}
}

func checkMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	fi, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if fi.Mode() != want {
		t.Errorf("mode of %s: got %v, want %v", path, fi.Mode(), want)
	}
}

func TestIncomplete(t *testing.T) {
	tests := []struct{ name, file, content string }{
		{"killed after mkdir", "", ""},
		{"killed while writing", tempName, `{"id":"b`},
		{"empty state", fileName, ""},
		{"truncated state", fileName, `{"format":1,"id":"box"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "box")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if tt.file != "" {
				if err := os.WriteFile(filepath.Join(dir, tt.file), []byte(tt.content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Create(root, "box", full()); err != ErrExist {
				t.Errorf("create: got %v, want %v", err, ErrExist)
			}
			d, s, err := openLocked(root, "box")
			if !errors.Is(err, ErrIncomplete) || d == nil || s != nil {
				t.Fatalf("open: got %v, %v, %v", d, s, err)
			}
			if err := d.Remove(); err != nil {
				t.Fatal(err)
			}
			mustCreate(t, root, "box").Close()
		})
	}
}

// A save that finds what a killed one left behind is not disturbed by it.
func TestSaveOverLeftover(t *testing.T) {
	d := mustCreate(t, t.TempDir(), "box")
	defer d.Close()
	temp := filepath.Join(d.Path(), tempName)
	if err := os.WriteFile(temp, []byte(strings.Repeat("x", 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Save(full()); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Load(); err != nil || !reflect.DeepEqual(got, full()) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := os.Lstat(temp); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there", temp)
	}
}

func TestSaveTooLarge(t *testing.T) {
	d := mustCreate(t, t.TempDir(), "box")
	defer d.Close()
	s := full()
	s.Config = make([]byte, maxSize)
	if err := d.Save(s); err == nil || !strings.Contains(err.Error(), "are too many") {
		t.Errorf("got %v", err)
	}
	if _, err := d.Load(); err != nil {
		t.Error("the old state is lost:", err)
	}
}

func TestLock(t *testing.T) {
	root := t.TempDir()
	first := mustCreate(t, root, "box")
	second, _, err := Open(root, "box")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if ok, err := second.TryLock(); ok || err != nil {
		t.Errorf("lock of a locked container: got %v, %v", ok, err)
	}
	first.Unlock()
	if ok, err := second.TryLock(); !ok || err != nil {
		t.Errorf("lock of an unlocked container: got %v, %v", ok, err)
	}
	second.Unlock()
	if err := first.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := second.TryLock(); err != ErrNotExist {
		t.Errorf("try to lock a removed container: got %v", err)
	}
	if err := second.Lock(); err != ErrNotExist {
		t.Errorf("lock of a removed container: got %v", err)
	}
}

func TestLockIsWaitedFor(t *testing.T) {
	root := t.TempDir()
	first := mustCreate(t, root, "box")
	waited := make(chan error)
	second, _, err := Open(root, "box")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	go func() { waited <- second.Lock() }()
	if err := first.Remove(); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err != ErrNotExist {
		t.Errorf("got %v, want %v", err, ErrNotExist)
	}
}

func TestRemoveEverything(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	keep := filepath.Join(outside, "keep")
	if err := os.WriteFile(keep, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := mustCreate(t, root, "box")
	deep := filepath.Join(d.Path(), "a", "b")
	if err := errors.Join(os.MkdirAll(deep, 0o700), os.Symlink(outside, filepath.Join(deep, "link")),
		os.WriteFile(filepath.Join(deep, "file"), nil, 0o400), unix.Mkfifo(filepath.Join(d.Path(), "fifo"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(root, "box")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
	if _, err := os.Lstat(keep); err != nil {
		t.Error("a link was followed:", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	root := t.TempDir()
	if err := errors.Join(os.Symlink("/etc", filepath.Join(root, "link")),
		os.WriteFile(filepath.Join(root, "file"), nil, 0o600),
		os.Mkdir(filepath.Join(root, "linked"), 0o700),
		os.Symlink("/etc/passwd", filepath.Join(root, "linked", fileName))); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, root, id string
		want           error
	}{
		{"no root", filepath.Join(root, "none"), "box", ErrNotExist},
		{"no container", root, "box", ErrNotExist},
		{"invalid id", root, "../box", ErrInvalidID},
		{"a link", root, "link", unix.ENOTDIR},
		{"a file", root, "file", unix.ENOTDIR},
		{"a state that is a link", root, "linked", unix.ELOOP},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := Open(tt.root, tt.id); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestList(t *testing.T) {
	root := t.TempDir()
	for _, id := range []string{"b", "a"} {
		mustCreate(t, root, id).Close()
	}
	if err := errors.Join(os.Mkdir(filepath.Join(root, "half"), 0o700), os.Mkdir(filepath.Join(root, ".own"), 0o700),
		os.WriteFile(filepath.Join(root, "file"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	got, err := List(root)
	if want := []string{"a", "b", "half"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if _, err := List(filepath.Join(root, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing root: got %v", err)
	}
}

func TestDescriptorsAreGivenBack(t *testing.T) {
	root := t.TempDir()
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := count()
	mustCreate(t, root, "box").Close()
	Create(root, "box", full())
	Open(root, "none")
	d, _, err := Open(root, "box")
	if err != nil {
		t.Fatal(err)
	}
	d.Remove()
	if after := count(); after != before {
		t.Errorf("%d descriptors leaked", after-before)
	}
}

func BenchmarkOpen(b *testing.B) {
	root := b.TempDir()
	s := full()
	s.Config = make([]byte, 20<<10)
	d, err := Create(root, "box", s)
	if err != nil {
		b.Fatal(err)
	}
	d.Close()
	for b.Loop() {
		d, _, err := Open(root, "box")
		if err != nil {
			b.Fatal(err)
		}
		d.Close()
	}
}
