package rootpath

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cyphar/filepath-securejoin/pathrs-lite"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// tree makes a root file system: a name with a slash at its end is a directory,
// "->target" as content a link.
func tree(t *testing.T, files map[string]string) *os.File {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		target, isLink := strings.CutPrefix(content, "->")
		switch {
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		case isLink:
			err = os.Symlink(target, path)
		default:
			err = os.WriteFile(path, []byte(content), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func TestReadFile(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	root := tree(t, map[string]string{
		"etc/passwd":   "inside",
		"etc/climbing": "->../../../../etc/passwd",
		"etc/absolute": "->/etc/passwd",
		"etc/secret":   "->" + outside,
		"etc/loop":     "->loop",
		"etc/magic":    "->/proc/self/root/etc/passwd",
		"dev":          "->/",
		"empty":        "",
	})
	if err := unix.Mkfifo(filepath.Join(root.Name(), "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		path InRoot
		want string
		err  string
	}{
		{"plain", "/etc/passwd", "inside", ""},
		{"relative", "etc/passwd", "inside", ""},
		{"climbing", "/../../etc/passwd", "inside", ""},
		{"climbing link", "/etc/climbing", "inside", ""},
		{"absolute link", "/etc/absolute", "inside", ""},
		{"link to the root", "/dev/dev/etc/passwd", "inside", ""},
		{"empty", "/empty", "", ""},
		{"link to the host", "/etc/secret", "", "open /etc/secret: no such file or directory"},
		{"loop", "/etc/loop", "", "open /etc/loop: too many levels of symbolic links"},
		{"magic link", "/etc/magic", "", "open /etc/magic: no such file or directory"},
		{"missing", "/none", "", "open /none: no such file or directory"},
		{"through a file", "/etc/passwd/x", "", "open /etc/passwd/x: not a directory"},
		{"fifo", "/fifo", "", "open /fifo: not a regular file"},
		{"directory", "/etc", "", "open /etc: not a regular file"},
		{"too large", "/etc/../etc/passwd", "inside", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := ReadFile(root, tt.path, 6)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			if string(data) != tt.want || err != nil {
				t.Errorf("got %q, %v, want %q", data, err, tt.want)
			}
		})
	}
	if _, err := ReadFile(root, "/etc/passwd", 5); err == nil || err.Error() != "read /etc/passwd: larger than 5 bytes" {
		t.Errorf("too large: got %v", err)
	}
}

func TestDeviceIsNotOpened(t *testing.T) {
	root := tree(t, nil)
	needs.Root(t, "it makes a device")
	if err := unix.Mknod(filepath.Join(root.Name(), "zero"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(root, "/zero", 10); err == nil || err.Error() != "open /zero: not a regular file" {
		t.Errorf("got %v", err)
	}
}

// pathrs-lite is the reference for what a path is in a root.
func TestOpenAsPathrs(t *testing.T) {
	root := tree(t, map[string]string{
		"a/b/c/file": "x", "a/up": "->../a/b", "a/abs": "->/a/b/c", "a/far": "->../../../../a/abs/file",
		"l1": "->l2", "l2": "->l1", "dangling": "->/none", "file": "y", "a/dot": "->.", "dir/": "",
	})
	for _, p := range []string{"", ".", "/", "..", "/a/b/c/file", "a//b/./c/../c/file", "a/up/c/file", "a/abs/file", "a/far",
		"a/abs/../../file", "l1", "dangling", "dangling/x", "file/", "file/..", "file/x", "a/dot/dot/up", "dir/../../../file", "none/../file", strings.Repeat("n", 300)} {
		want, wantErr := pathrs.OpenatInRoot(root, p)
		got, gotErr := Open(root, InRoot(p))
		switch {
		case (gotErr == nil) != (wantErr == nil):
			t.Errorf("%q: got %v, pathrs-lite %v", p, gotErr, wantErr)
		case gotErr == nil && !sameFile(t, got, want):
			t.Errorf("%q: got another file than pathrs-lite", p)
		}
	}
}

func sameFile(t *testing.T, a, b *os.File) bool {
	t.Helper()
	defer a.Close()
	defer b.Close()
	ai, err1 := a.Stat()
	bi, err2 := b.Stat()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return os.SameFile(ai, bi)
}

// While a part of the path is exchanged with a link to the host, what is opened
// stays inside, or is not there.
func TestOpenUnderAttack(t *testing.T) {
	host := t.TempDir()
	if err := os.WriteFile(filepath.Join(host, "file"), []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	root := tree(t, map[string]string{"real/file": "inside", "evil": "->" + host})
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		dir := int(root.Fd())
		for {
			select {
			case <-done:
				return
			default:
				unix.Renameat2(dir, "real", dir, "evil", unix.RENAME_EXCHANGE)
			}
		}
	}()
	inside := 0
	for range 5000 {
		data, err := ReadFile(root, "/real/../real/file", 100)
		if string(data) == "outside" {
			t.Fatal("read a file of the host")
		}
		if err == nil {
			inside++
		}
	}
	close(done)
	<-stopped
	t.Log(inside, "of 5000 were inside")
}

func TestLookPath(t *testing.T) {
	root := tree(t, map[string]string{
		"bin/sh": "", "usr/bin/tool": "", "usr/local/bin/tool": "", "srv/here": "", "srv/sub/prog": "",
		"bin/dir/": "", "bin/plain": "", "only/plain": "", "usr/bin/link": "->/bin/sh", "usr/bin/dangling": "->/none",
	})
	for _, p := range []string{"bin/plain", "only/plain"} {
		if err := os.Chmod(filepath.Join(root.Name(), p), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const path = "/usr/local/bin:/usr/bin:/bin"
	tests := []struct{ name, program, path, want, err string }{
		{"in the last directory", "sh", path, "/bin/sh", ""},
		{"first of two", "tool", path, "/usr/local/bin/tool", ""},
		{"link", "link", path, "/usr/bin/link", ""},
		{"absolute", "/bin/sh", "", "/bin/sh", ""},
		{"relative", "./here", "", "/srv/./here", ""},
		{"relative without a dot", "sub/prog", path, "/srv/sub/prog", ""},
		{"empty entry is the working directory", "here", "/bin::/usr/bin", "/srv/here", ""},
		{"relative entry", "prog", "sub", "/srv/sub/prog", ""},
		{"missing", "none", path, "", `exec: "none": executable file not found in $PATH`},
		{"no path", "sh", "", "", `exec: "sh": executable file not found in $PATH`},
		{"missing absolute", "/bin/none", path, "", `exec: "/bin/none": no such file or directory`},
		{"dangling", "dangling", path, "", `exec: "dangling": executable file not found in $PATH`},
		{"directory", "dir", path, "", `exec: "dir": permission denied`},
		{"not executable", "plain", path, "", `exec: "plain": permission denied`},
		{"not executable, absolute", "/only/plain", path, "", `exec: "/only/plain": permission denied`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := LookPath(root, tt.program, tt.path, "/srv")
			if string(got) != tt.want || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("got %q, %v, want %q, %s", got, err, tt.want, tt.err)
			}
		})
	}
}
