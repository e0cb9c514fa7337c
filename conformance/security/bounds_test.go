package security

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// modesty is the most memory, in KiB, that a call of the runtime may take. This
// process, from which it is forked, counts as well.
const modesty = 128 << 10

// modest reports what a call took of memory if that is much.
func (b *bundle) modest(r result) result {
	b.Helper()
	if r.memory > modesty {
		b.Errorf("it took %d MiB", r.memory>>10)
	}
	return r
}

// Values that do not fit into 16 bits, or into a page, arrive whole; those that
// nothing can take are refused. CVE-2021-43784 (GHSA-v95c-p5hm-xq8f).
func TestLargeValues(t *testing.T) {
	long := strings.Repeat("x", 70000)
	tests := []struct {
		name string
		want string // what the program prints; "": the container is refused
		set  func(b *bundle)
	}{
		{"argument", "70000\n1", func(b *bundle) { b.config.Process.Args = []string{"sh", "-c", "echo ${#0}; echo $#", long, "one"} }},
		{"environment", "70000", func(b *bundle) {
			b.config.Process.Env = append(b.config.Process.Env, "LONG="+long)
			b.config.Process.Args = []string{"sh", "-c", "echo ${#LONG}"}
		}},
		{"argument beyond the kernel's bound", "", func(b *bundle) { b.config.Process.Args = []string{"echo", strings.Repeat("x", 200000)} }},
		{"many arguments", "20000", func(b *bundle) {
			b.config.Process.Args = append([]string{"sh", "-c", "echo $#", "sh"}, strings.Split(strings.Repeat("a ", 20000)[:39999], " ")...)
		}},
		{"mount source", "", func(b *bundle) {
			b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: "/long", Type: "bind", Source: "/" + long, Options: []string{"bind"}})
		}},
		{"mount destination", "", func(b *bundle) {
			b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: "/" + long, Type: "tmpfs", Source: "tmpfs"})
		}},
		{"mount options", "", func(b *bundle) {
			b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: "/long", Type: "tmpfs", Source: "tmpfs", Options: []string{"size=1m" + long}})
		}},
		{"namespace path", "", func(b *bundle) { join(b.config, specs.NetworkNamespace, "/"+long) }},
		{"hostname", "", func(b *bundle) { b.config.Hostname = long }},
		{"annotation", "ok", func(b *bundle) {
			b.config.Annotations = map[string]string{"long": strings.Repeat(long, 10)}
			b.config.Process.Args = []string{"echo", "ok"}
		}},
		{"mounts", "1500", func(b *bundle) {
			for i := range 1500 {
				b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: fmt.Sprintf("/many/%d", i), Type: "bind", Source: b.dir, Options: []string{"bind"}})
			}
			b.config.Process.Args = []string{"sh", "-c", "grep -c /many/ /proc/self/mountinfo"}
		}},
		{"masked paths", "ok", func(b *bundle) {
			for i := range 5000 {
				b.config.Linux.MaskedPaths = append(b.config.Linux.MaskedPaths, fmt.Sprintf("/none/%d%.200s", i, long))
			}
			b.config.Process.Args = []string{"echo", "ok"}
		}},
		{"groups", "65536", func(b *bundle) {
			for i := range uint32(65536) {
				b.config.Process.User.AdditionalGids = append(b.config.Process.User.AdditionalGids, i)
			}
			b.config.Process.Args = []string{"sh", "-c", "grep Groups: /proc/self/status | tr ' ' '\\n' | grep -c '[0-9]'"}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBundle(t)
			tt.set(b)
			b.write()
			r := b.modest(b.call("run", "--bundle", b.dir, b.id))
			if refused := tt.want == ""; r.failed() != refused || r.out != tt.want {
				t.Errorf("status %d, it says %.200s, want %q: %.500s", r.code, r.out, tt.want, r.err)
			}
			if strings.Contains(r.err, "panic") {
				t.Errorf("it panicked: %.500s", r.err)
			}
		})
	}
}

// Mappings of ids arrive as they are, or not at all. CVE-2021-43784.
func TestManyMappings(t *testing.T) {
	for _, count := range []int{250, 341, 20000} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			b := newBundle(t)
			b.userNamespace()
			var ids []specs.LinuxIDMapping
			for i := range uint32(count) {
				ids = append(ids, specs.LinuxIDMapping{ContainerID: i, HostID: firstHostID + 2*i, Size: 1})
			}
			b.config.Linux.UIDMappings, b.config.Linux.GIDMappings = ids, ids
			r := b.run("sh", "-c", "wc -l < /proc/self/uid_map; id -u")
			if r.failed() == (count <= 250) || !r.failed() && r.out != fmt.Sprintf("%d\n0", count) {
				t.Errorf("it says %v", r)
			}
		})
	}
}

// Files that never end, or never begin, are not waited for and not taken in.
// CVE-2023-25153.
func TestEndlessFiles(t *testing.T) {
	b := newBundle(t)
	b.started("sleep", "1000")
	for name, make := range map[string]func(path string) error{
		"zeros":  func(path string) error { return os.Symlink("/dev/zero", path) },
		"nested": func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("[", 10<<20)), 0o644) },
		"object": func(path string) error {
			return os.WriteFile(path, []byte(strings.Repeat(`{"linux":`, 1<<20)), 0o644)
		},
		"huge": func(path string) error {
			f, err := os.Create(path)
			if err != nil {
				return err
			}
			defer f.Close()
			return f.Truncate(16 << 30)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b.must(make(filepath.Join(dir, "config.json")))
			id := b.id + "-" + name
			if r := b.modest(b.call("create", "--bundle", dir, id)); !r.failed() {
				t.Errorf("create: %v", r)
			}
			if r := b.modest(b.call("exec", "--process", filepath.Join(dir, "config.json"), b.id)); !r.failed() {
				t.Errorf("exec: %v", r)
			}
		})
	}
	dir := t.TempDir()
	b.must(unix.Mkfifo(filepath.Join(dir, "config.json"), 0o644))
	if r := b.call("create", "--bundle", dir, b.id+"-fifo"); !r.failed() {
		t.Errorf("create with a fifo for a configuration: %v", r)
	}
}

// A hook may print what it likes. CVE-2022-31030 (GHSA-5ffw-gxpp-mxpf),
// CVE-2022-1708.
func TestHookOutput(t *testing.T) {
	for _, kind := range []string{"createRuntime", "createContainer", "startContainer"} {
		t.Run(kind, func(t *testing.T) {
			b := newBundle(t)
			hooks := []specs.Hook{{Path: "/bin/busybox", Args: []string{"sh", "-c", "/bin/busybox head -c 100000000 /dev/zero; exit 1"}}}
			b.config.Hooks = map[string]*specs.Hooks{"createRuntime": {CreateRuntime: hooks}, "createContainer": {CreateContainer: hooks}, "startContainer": {StartContainer: hooks}}[kind]
			r := b.modest(b.run("true"))
			if !r.failed() || len(r.err) > 1<<20 {
				t.Errorf("it ends with status %d and %d bytes of error", r.code, len(r.err))
			}
		})
	}
}

// A program that prints much does not make the runtime grow. CVE-2022-31030.
func TestProgramOutput(t *testing.T) {
	b := newBundle(t)
	b.config.Process.Args = []string{"head", "-c", "200000000", "/dev/zero"}
	b.write()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	b.must(err)
	defer null.Close()
	b.ok(b.modest(b.callWith(func(cmd *exec.Cmd) { cmd.Stdout = null }, "run", "--bundle", b.dir, b.id)))
}
