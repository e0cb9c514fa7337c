package security

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// passwd has users whose names are numbers, and who are root.
const passwd = "root:x:0:0::/root:/bin/sh\n4294967296:x:0:0::/root:/bin/sh\n2147483648:x:0:0::/root:/bin/sh\nabc:x:0:0::/root:/bin/sh\n1:x:0:0::/root:/bin/sh\n"

// What is no number of a user is nobody, and never root. CVE-2026-30892,
// CVE-2024-40635, CVE-2026-46680 (GHSA-fqw6-gf59-qr4w).
func TestExecUser(t *testing.T) {
	refused := "refused"
	tests := []struct{ user, want string }{
		{"0", "0 77"}, {"1", "1 77"}, {"1:2", "1 2"}, {"01", "1 77"}, {"2147483648", "2147483648 77"}, {"4294967294", "4294967294 77"},
		{"1:", refused}, {":1", refused}, {":", refused}, {"+1", refused}, {"-1", refused}, {"4294967295", refused}, {"4294967296", refused},
		{"18446744073709551616", refused}, {"abc", refused}, {"root", refused}, {" 1", refused}, {"1 ", refused}, {"0x1", refused}, {"1e3", refused},
		{"1:-1", refused}, {"1:4294967295", refused}, {"1:4294967296", refused}, {"1:abc", refused}, {"1:2:3", refused}, {"1\n", refused},
	}
	b := newBundle(t)
	b.must(os.MkdirAll(b.root("root"), 0o700))
	b.file("etc/passwd", passwd, 0o644)
	b.config.Process.User = specs.User{UID: 66, GID: 77}
	b.started("sleep", "1000")
	for _, tt := range tests {
		r := b.call("exec", "--user", tt.user, b.id, "sh", "-c", "echo $(id -u) $(id -g)")
		got := r.out
		if r.failed() {
			got = refused
		}
		if got != tt.want {
			t.Errorf("exec --user %q: %v, want %s", tt.user, r, tt.want)
		}
	}
	if r := b.call("exec", "--user", "", b.id, "id", "-u"); !r.failed() && r.out != "66" {
		t.Errorf(`exec --user "": %v`, r)
	}
	for _, gid := range []string{"-1", "+1", "abc", "4294967295", "4294967296", " 1", ""} {
		if r := b.call("exec", "--additional-gids", gid, b.id, "id", "-G"); !r.failed() {
			t.Errorf("exec --additional-gids %q: %v", gid, r)
		}
	}
}

// The same for the configuration's numbers.
func TestConfiguredUser(t *testing.T) {
	for _, user := range []string{
		`{"uid":4294967295,"gid":1}`, `{"uid":4294967296,"gid":1}`, `{"uid":-1,"gid":1}`, `{"uid":1.5,"gid":1}`, `{"uid":"abc","gid":1}`,
		`{"uid":18446744073709551616,"gid":1}`, `{"uid":1,"gid":4294967295}`, `{"uid":1,"gid":4294967296}`, `{"uid":1,"gid":1,"additionalGids":[4294967295]}`,
		`{"uid":1,"gid":1,"additionalGids":[-1]}`, `{"uid":1e10,"gid":1}`,
	} {
		t.Run(user, func(t *testing.T) {
			b := newBundle(t)
			b.file("etc/passwd", passwd, 0o644)
			b.config.Process.Args = []string{"id"}
			b.write()
			b.replace(`"user":{"uid":0,"gid":0}`, `"user":`+user)
			if r := b.call("run", "--bundle", b.dir, b.id); !r.failed() {
				t.Errorf("it runs: %v", r)
			}
		})
	}
}

// replace changes config.json as text.
func (b *bundle) replace(old, new string) {
	b.Helper()
	path := filepath.Join(b.dir, "config.json")
	data, err := os.ReadFile(path)
	b.must(err)
	if !strings.Contains(string(data), old) {
		b.Fatalf("config.json has no %s", old)
	}
	b.must(os.WriteFile(path, []byte(strings.Replace(string(data), old, new, 1)), 0o644))
}

// An id is a name in one directory, or it is refused. crun 1.20, 1.28.
func TestIDs(t *testing.T) {
	b := newBundle(t)
	victim := filepath.Join(b.state(), "victim")
	b.must(os.MkdirAll(victim, 0o711))
	b.must(os.WriteFile(filepath.Join(victim, "file"), nil, 0o644))
	b.write()
	for _, id := range []string{"", ".", "..", "../x", "a/b", "/", "/x", "../../" + filepath.Base(b.dir), "a/../../x", "a b", "a\nb", "a\\b", "a*", strings.Repeat("x", 1025)} {
		for _, command := range [][]string{{"create", "--bundle", b.dir, "--", id}, {"state", "--", id}, {"delete", "--force", "--", id}, {"kill", "--", id, "KILL"}, {"start", "--", id}, {"exec", "--", id, "true"}} {
			r := b.call(command...)
			if !r.failed() && command[0] != "delete" {
				t.Errorf("%s of id %.40q: %v", command[0], id, r)
			}
			if !r.failed() && command[0] == "create" {
				b.call("delete", "--force", "--", id)
			}
		}
	}
	entries, err := os.ReadDir(b.state())
	b.must(err)
	if _, err := os.Stat(filepath.Join(victim, "file")); err != nil || len(entries) != 1 {
		t.Errorf("the state has %v: %v", entries, err)
	}
	os.RemoveAll(victim)
}

// A container's cgroup is one below the hierarchy's root, and its processes
// are in it. CVE-2025-47291; crun 1.28, 1.29.
func TestCgroupPaths(t *testing.T) {
	for _, path := range []string{"../../..", "/../../..", "/ID/../..", "/ID/../../../x", "ID/../..", "/", "/.", "/ID/..", "../ID", "/..//ID/.."} {
		t.Run(path, func(t *testing.T) {
			b := newBundle(t)
			b.config.Linux.CgroupsPath = strings.ReplaceAll(path, "ID", b.id)
			b.config.Process.Args = []string{"sleep", "1000"}
			pid, _ := b.create()
			if pid == 0 {
				return
			}
			own, err := os.ReadFile("/proc/self/cgroup")
			b.must(err)
			got, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
			b.must(err)
			for line := range strings.SplitSeq(strings.TrimSpace(string(got)), "\n") {
				controller := strings.SplitN(line, ":", 3)[1]
				if controller == "devices" && (strings.Contains(string(own), line+"\n") || strings.HasSuffix(line, ":/") || strings.Contains(line, "..")) {
					t.Errorf("the container is in %s", line)
				}
			}
		})
	}
}

// exec enters no cgroup but those below the container's. crun 1.29.
func TestExecCgroup(t *testing.T) {
	b := newBundle(t)
	b.started("sleep", "1000")
	for _, path := range []string{"..", "../..", "../../../..", "a/../../..", "/../..", "devices:../..", "devices:../OTHER", "memory,devices:..", "nosuch:/x", "/\n/.."} {
		r := b.call("exec", "--cgroup", path, b.id, "cat", "/proc/self/cgroup")
		if !r.failed() && !strings.Contains(r.out, b.id) {
			t.Errorf("exec --cgroup %q: %v", path, r)
		}
	}
}

// Nothing that the image says of users makes the runtime wait or grow, and
// nothing that the configuration says is written there. CVE-2026-47262
// (GHSA-jpcc-p29g-p8mq), CVE-2022-4318, CVE-2026-15809.
func TestPasswd(t *testing.T) {
	for name, make := range map[string]func(b *bundle, path string){
		"fifo":         func(b *bundle, path string) { b.must(unix.Mkfifo(path, 0o644)) },
		"zeros":        func(b *bundle, path string) { b.must(os.Symlink("/dev/zero", path)) },
		"link to host": func(b *bundle, path string) { b.must(os.Symlink("../../../../../../etc/passwd", path)) },
		"huge": func(b *bundle, path string) {
			f, err := os.Create(path)
			b.must(err)
			defer f.Close()
			b.must(f.Truncate(8 << 30))
		},
		"one line": func(b *bundle, path string) {
			f, err := os.Create(path)
			b.must(err)
			defer f.Close()
			for range 32 {
				_, err := f.Write(bytes.Repeat([]byte("x"), 1<<20))
				b.must(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t)
			for _, file := range []string{"etc/passwd", "etc/group"} {
				make(b, b.root(file))
			}
			b.config.Process.Env = []string{"PATH=/bin"}
			b.config.Process.User = specs.User{UID: 1000, GID: 1000}
			if r := b.modest(b.run("sh", "-c", "echo $HOME")); r.out != "/" {
				t.Errorf("it says %v", r)
			}
		})
	}
	b := newBundle(t)
	b.file("etc/passwd", passwd, 0o666)
	b.config.Process.Env = []string{"PATH=/bin", "HOME=/x:\nevil:x:0:0::/:/bin/sh", "USER=a\rb"}
	b.ok(b.run("true"))
	if data, err := os.ReadFile(b.root("etc/passwd")); err != nil || string(data) != passwd {
		t.Errorf("/etc/passwd holds %q, %v", data, err)
	}
}

// What a runtime may be told by annotations it says in its features.
// CVE-2024-3154 (GHSA-2cgq-h8xw-2v5j).
func TestUnsafeAnnotations(t *testing.T) {
	b := newBundle(t)
	var features struct{ PotentiallyUnsafeConfigAnnotations []string }
	b.must(json.Unmarshal([]byte(b.ok(b.call("features")).out), &features))
	if listed := features.PotentiallyUnsafeConfigAnnotations; !slices.Contains(listed, "org.systemd.property.") {
		t.Errorf("features lists %q", listed)
	}
}
