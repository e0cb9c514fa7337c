package users

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

const passwd = `root:x:0:0:root:/root:/bin/sh
# a comment: 1:2:3
app:x:1000:1001:An App:/home/app:/bin/sh
4294967296:x:0:0:number as a name:/:/bin/sh
2147483648:x:0:0:number as a name:/:/bin/sh
99999999999999999999:x:0:0:number as a name:/:/bin/sh
large:x:4294967296:0::/:
larger:x:18446744073709551616:0::/:
wordy:x:zero:0::/:
largegid:x:5:4294967296::/:
short:x:7
-1:x:0:0::/:
+5:x:0:0::/:
nohome:x:8:8
`

const group = `root:x:0:
wheel:x:10:root,app
app:x:1001:
audio:x:29:app
doubled:x:29:app
bad:x:4294967296:app
five:x:5:nohome
10:x:0:
app2:x:77:app2,apple
`

// rootWith is a descriptor of a root with these files in /etc.
func rootWith(t *testing.T, files map[string]string) *os.File {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return opened(t, dir)
}

func opened(t *testing.T, dir string) *os.File {
	t.Helper()
	root, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func TestLookup(t *testing.T) {
	root := rootWith(t, map[string]string{"passwd": passwd, "group": group})
	app := Identity{UID: 1000, GID: 1001, Groups: []uint32{1001, 10, 29}, Name: "app", Home: "/home/app"}
	super := Identity{Groups: []uint32{0, 10}, Name: "root", Home: "/root"}
	tests := []struct {
		name, user string
		want       Identity
		err        error
	}{
		{"nobody named", "", super, nil},
		{"name", "root", super, nil},
		{"number", "0", super, nil},
		{"name with groups", "app", app, nil},
		{"number with groups", "1000", app, nil},
		{"empty group", "1000:", app, nil},
		{"no user but a group", ":29", Identity{GID: 29, Groups: []uint32{29}, Name: "root", Home: "/root"}, nil},
		{"name and group", "app:audio", Identity{UID: 1000, GID: 29, Groups: []uint32{29}, Name: "app", Home: "/home/app"}, nil},
		{"numbers", "1:2", Identity{UID: 1, GID: 2, Groups: []uint32{2}}, nil},
		{"number without a line", "1", Identity{UID: 1, Groups: []uint32{0}}, nil},
		{"number of a group that is also a name", "1:10", Identity{UID: 1, GID: 10, Groups: []uint32{10}}, nil},
		{"largest", "2147483647:2147483647", Identity{UID: 1<<31 - 1, GID: 1<<31 - 1, Groups: []uint32{1<<31 - 1}}, nil},
		{"line without a home", "nohome", Identity{UID: 8, GID: 8, Groups: []uint32{8, 5}, Name: "nohome"}, nil},
		{"leading zeros", "007", Identity{UID: 7, Groups: []uint32{0}}, nil},

		{"no such name", "abc", Identity{}, ErrUnknown},
		{"no such group", "app:abc", Identity{}, ErrUnknown},
		{"2^31, a name too", "2147483648", Identity{}, ErrInvalid},
		{"2^32, a name too", "4294967296", Identity{}, ErrInvalid},
		{"beyond 2^64, a name too", "99999999999999999999", Identity{}, ErrInvalid},
		{"-1, a name too", "-1", Identity{}, ErrInvalid},
		{"+5, a name too", "+5", Identity{}, ErrInvalid},
		{"white space before", " 1", Identity{}, ErrInvalid},
		{"white space after", "1 ", Identity{}, ErrInvalid},
		{"group of 2^32", "0:4294967296", Identity{}, ErrInvalid},
		{"two colons", "1:2:3", Identity{}, ErrInvalid},
		{"line break", "app\nroot", Identity{}, ErrInvalid},
		{"uid of 2^32 in the file", "large", Identity{}, ErrInvalid},
		{"uid of 2^64 in the file", "larger", Identity{}, ErrInvalid},
		{"uid that is a word", "wordy", Identity{}, ErrInvalid},
		{"gid of 2^32 in the file", "largegid", Identity{}, ErrInvalid},
		{"gid of 2^32 in the file, by number", "5", Identity{}, ErrInvalid},
		{"group's number in the file", "0:bad", Identity{}, ErrInvalid},
		{"line with too few fields", "short", Identity{}, ErrUnknown},
		{"comment", "# a comment", Identity{}, ErrUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Lookup(root, tt.user)
			if !errors.Is(err, tt.err) || err == nil && !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v, want %+v, %v", got, err, tt.want, tt.err)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

func TestWithoutFiles(t *testing.T) {
	empty := opened(t, t.TempDir())
	if got, err := Lookup(empty, "7:8"); err != nil || got.UID != 7 || got.GID != 8 {
		t.Errorf("numbers: got %+v, %v", got, err)
	}
	if got, err := Lookup(empty, ""); err != nil || !reflect.DeepEqual(got, Identity{Groups: []uint32{0}}) {
		t.Errorf("nobody: got %+v, %v", got, err)
	}
	if _, err := Lookup(empty, "app"); !errors.Is(err, ErrUnknown) {
		t.Errorf("name: got %v", err)
	}
}

func TestAdd(t *testing.T) {
	root := rootWith(t, map[string]string{"group": group})
	id, err := (Identity{GID: 3, Groups: []uint32{3}}).Add(root, "audio", "44", "29", "3")
	if want := []uint32{3, 29, 44}; err != nil || !reflect.DeepEqual(id.Groups, want) {
		t.Errorf("got %v, %v, want %v", id.Groups, err, want)
	}
	for name, want := range map[string]error{"nogroup": ErrUnknown, "": ErrInvalid, "bad": ErrInvalid, "4294967296": ErrInvalid} {
		if _, err := (Identity{}).Add(root, name); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", name, err, want)
		}
	}
}

// bounded fails the test where f takes longer than reading a file can.
func bounded(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("it waits for ever")
	}
}

// TestStrangeFiles: /etc/passwd is what no image should have, and is neither
// read from the host, nor for ever.
func TestStrangeFiles(t *testing.T) {
	host := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(host, []byte("app:x:0:0::/:\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	etc := func(t *testing.T, make func(path string) error) *os.File {
		t.Helper()
		root := rootWith(t, nil)
		if err := make(filepath.Join(root.Name(), "etc/passwd")); err != nil {
			t.Fatal(err)
		}
		return root
	}
	tests := []struct {
		name string
		make func(path string) error
		want error
	}{
		{"link to the host", func(p string) error { return os.Symlink(host, p) }, ErrUnknown},
		{"link out by dots", func(p string) error { return os.Symlink("../../../../../../../.."+host, p) }, ErrUnknown},
		{"link through proc", func(p string) error { return os.Symlink(fmt.Sprintf("/proc/%d/root%s", os.Getpid(), host), p) }, ErrUnknown},
		{"link to itself", func(p string) error { return os.Symlink("passwd", p) }, unix.ELOOP},
		{"FIFO", func(p string) error { return unix.Mkfifo(p, 0o666) }, unix.EINVAL},
		{"directory", func(p string) error { return os.Mkdir(p, 0o755) }, unix.EINVAL},
		{"huge", func(p string) error { return sparse(p, 1<<40) }, unix.EFBIG},
		{"one byte too many", func(p string) error { return sparse(p, maxFile+1) }, unix.EFBIG},
		{"as large as may be", func(p string) error { return sparse(p, maxFile) }, ErrUnknown},
		{"socket", func(p string) error { return unix.Mknod(p, unix.S_IFSOCK|0o666, 0) }, unix.EINVAL},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := etc(t, tt.make)
			bounded(t, func() {
				if _, err := Lookup(root, "app"); !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			})
		})
	}
}

func sparse(path string, size int64) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Truncate(size), file.Close())
}

// TestDevice: /dev/zero never ends.
func TestDevice(t *testing.T) {
	needs.Root(t, "a device is made")
	root := rootWith(t, nil)
	path := filepath.Join(root.Name(), "etc/passwd")
	if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil {
		t.Fatal(err)
	}
	bounded(t, func() {
		if _, err := Lookup(root, "app"); !errors.Is(err, unix.EINVAL) {
			t.Errorf("got %v", err)
		}
	})
}

// TestLinkInTheImage: a link that stays in the root is followed.
func TestLinkInTheImage(t *testing.T) {
	root := rootWith(t, map[string]string{"real": "app:x:5:6::/:\n"})
	if err := os.Symlink("/etc/real", filepath.Join(root.Name(), "etc/passwd")); err != nil {
		t.Fatal(err)
	}
	if got, err := Lookup(root, "app"); err != nil || got.UID != 5 || got.GID != 6 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestLinkedEtc: /etc itself is a link to the host's.
func TestLinkedEtc(t *testing.T) {
	host := t.TempDir()
	if err := os.WriteFile(filepath.Join(host, "passwd"), []byte("app:x:0:0::/:\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(host, filepath.Join(dir, "etc")); err != nil {
		t.Fatal(err)
	}
	if _, err := Lookup(opened(t, dir), "app"); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v", err)
	}
}

// TestExchangedFile: somebody exchanges the file with links to the host while
// it is read.
func TestExchangedFile(t *testing.T) {
	host := t.TempDir()
	if err := os.WriteFile(filepath.Join(host, "passwd"), []byte("app:x:666:666::/:\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	root := rootWith(t, map[string]string{"passwd": "app:x:5:5::/:\n"})
	other := filepath.Join(root.Name(), "other")
	if err := os.Symlink(host, other); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, filepath.Join(root.Name(), "etc"), unix.AT_FDCWD, other, unix.RENAME_EXCHANGE)
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	for range 2000 {
		if id, err := Lookup(root, "app"); err == nil && id.UID != 5 {
			t.Fatalf("got %+v, which is the host's", id)
		}
	}
}

func FuzzLookup(f *testing.F) {
	for _, user := range []string{"", "app", "0:0", "4294967296", ":", "\xff", "+0"} {
		f.Add(user, passwd, group)
	}
	f.Fuzz(func(t *testing.T, user, passwd, group string) {
		w, err := parse(user)
		if err != nil {
			return
		}
		id, err := w.user.in([]byte(passwd))
		if err == nil && w.user.numeric && id.UID != w.user.id {
			t.Errorf("user %q became %d", user, id.UID)
		}
		if id.UID > maxID || id.GID > maxID {
			t.Errorf("user %q: %+v", user, id)
		}
		if gid, _ := w.group.groupIn([]byte(group)); gid > maxID {
			t.Errorf("group of %q became %d", user, gid)
		}
		memberOf([]byte(group), id.Name)
	})
}
