package libcontainer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

func TestLife(t *testing.T) {
	for _, userns := range []bool{false, true} {
		t.Run(fmt.Sprintf("userns=%v", userns), func(t *testing.T) {
			b := newBox(t)
			if userns {
				b.userNamespace()
			}
			b.config.Process.Args = []string{"sleep", "1000"}
			bundle, err := b.load()
			b.must(err)
			c, err := b.runtime.Create("box", bundle, CreateOptions{StartLater: true})
			b.must(err)
			b.expect(Created)
			if _, err := b.runtime.Create("box", bundle, CreateOptions{}); !errors.Is(err, ErrExist) {
				t.Errorf("a second create: %v", err)
			}
			other, err := b.runtime.Load("box")
			b.must(err)
			b.must(other.Start())
			b.expect(Running)
			if err := other.Start(); !errors.Is(err, ErrNotCreated) {
				t.Errorf("a second start: %v", err)
			}
			if err := other.Delete(); !errors.Is(err, ErrRunning) {
				t.Errorf("delete of a running container: %v", err)
			}
			b.must(other.Signal(unix.SIGKILL))
			exit, err := c.Wait()
			if err != nil || exit.Code() != 128+9 {
				t.Errorf("wait: %v, %v", exit, err)
			}
			b.expect(Stopped)
			if err := other.Signal(unix.SIGTERM); !errors.Is(err, ErrNotRunning) {
				t.Errorf("signal of a stopped container: %v", err)
			}
			b.must(other.Delete())
			if left := b.remains(); left != "" {
				t.Errorf("left behind:\n%s", left)
			}
		})
	}
}

// expect compares the container's status as another process sees it.
func (b *box) expect(want Status) {
	b.t.Helper()
	c, err := b.runtime.Load("box")
	b.must(err)
	defer c.Close()
	got, err := c.Status()
	b.must(err)
	if got != want {
		b.t.Errorf("status is %s, want %s", got, want)
	}
}

func TestExitStatus(t *testing.T) {
	b := newBox(t)
	if _, exit, err := b.run("sh", "-c", "exit 42"); err != nil || exit.Code() != 42 {
		t.Errorf("got %d, %v", exit.Code(), err)
	}
}

// A symbolic link is mounted itself, also where the tree is opened outside.
func TestSourceNoFollow(t *testing.T) {
	forEachUserNS(t, func(b *box) {
		b.must(os.MkdirAll(filepath.Join(b.dir, "target"), 0o755))
		link := filepath.Join(b.dir, "link")
		b.must(os.Symlink("target", link))
		for _, option := range []string{"src-nofollow", "copy-symlink"} {
			b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: "/" + option, Source: link, Options: []string{"bind", option}})
			if got := b.succeeds("readlink", "/"+option); got != "target" {
				b.t.Errorf("the mount shows %q, want the link to target", got)
			}
		}
	})
}

// What the caller ignores, as Python does SIGPIPE, the container does not.
func TestSignalsAreNotInherited(t *testing.T) {
	signal.Ignore(unix.SIGPIPE, unix.SIGUSR1)
	defer signal.Reset(unix.SIGPIPE, unix.SIGUSR1)
	b := newBox(t)
	if got := b.succeeds("grep", "-E", "Sig(Ign|Blk):", "/proc/self/status"); strings.Trim(got, "SigIgnBlk:\t\n0") != "" {
		t.Errorf("it begins with\n%s", got)
	}
}

// What execve(2) reports with one errno has five causes, and five errors.
func TestFiveWaysNotToStart(t *testing.T) {
	for _, test := range []struct {
		name, program, want string
		prepare             func(b *box)
	}{
		{"missing", "nowhere", `exec: "nowhere": executable file not found in $PATH`, func(*box) {}},
		{"missing path", "/bin/nowhere", `exec: "/bin/nowhere": no such file or directory`, func(*box) {}},
		{"not executable", "/etc/text", `exec: "/etc/text": permission denied`,
			func(b *box) { b.file("etc/text", "#!/bin/sh\n", 0o644) }},
		{"directory", "/etc", `exec: "/etc": permission denied [it is a directory]`, func(*box) {}},
		{"interpreter", "/bin/dynamic", `exec /bin/dynamic: no such file or directory [its ELF interpreter /nonexistent/ld.so is missing]`,
			func(b *box) { b.dynamic("bin/dynamic", "-Wl,--dynamic-linker=/nonexistent/ld.so") }},
		{"carriage return", "/bin/crlf", `exec /bin/crlf: no such file or directory [its first line ends in a carriage return: "#!/bin/sh\r"]`,
			func(b *box) { b.file("bin/crlf", "#!/bin/sh\r\necho hi\r\n", 0o755) }},
		{"script interpreter", "/bin/script", `exec /bin/script: no such file or directory [its interpreter /bin/nobody is missing]`,
			func(b *box) { b.file("bin/script", "#!/bin/nobody\n", 0o755) }},
		{"neither", "/bin/data", `exec /bin/data: exec format error [it is neither a program of this architecture nor a script with a #! line]`,
			func(b *box) { b.file("bin/data", "data\n", 0o755) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBox(t)
			test.prepare(b)
			_, _, err := b.run(test.program)
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			if left := b.remains(); left != "" {
				t.Errorf("left behind:\n%s", left)
			}
		})
	}
}

// dynamic builds a dynamically linked program into the root file system.
func (b *box) dynamic(path string, flags ...string) {
	b.t.Helper()
	source := filepath.Join(b.dir, "main.c")
	b.must(os.WriteFile(source, []byte("int main(void) { return 0; }\n"), 0o644))
	out, err := exec.Command(needs.Program(b.t, "gcc"), append([]string{"-o", b.rootfs(path), source}, flags...)...).CombinedOutput()
	if err != nil {
		b.t.Fatalf("building %s: %v: %s", path, err, out)
	}
}

// The dynamic loader, not the kernel, misses a library: the program has
// started by then, and its status tells.
func TestMissingLibrary(t *testing.T) {
	b := newBox(t)
	library := filepath.Join(b.dir, "libabsent.so")
	if out, err := exec.Command(needs.Program(t, "gcc"), "-shared", "-o", library, "-Wl,-soname,libabsent.so.1", "-x", "c", os.DevNull).CombinedOutput(); err != nil {
		t.Fatalf("building a library: %v: %s", err, out)
	}
	b.dynamic("bin/dynamic", "-Wl,--no-as-needed", library)
	b.copyLoader()
	b.config.Process.Args = []string{"/bin/dynamic"}
	bundle, err := b.load()
	b.must(err)
	c, err := b.runtime.Create("box", bundle, CreateOptions{})
	b.must(err)
	defer c.Destroy()
	b.must(c.Start())
	exit, err := c.Wait()
	b.must(err)
	want := `exec: "/bin/dynamic": it ended with status 127 [its library libabsent.so.1 is missing]`
	if got := c.Diagnose(exit); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func (b *box) copyLoader() {
	b.t.Helper()
	if runtime.GOARCH != "amd64" {
		b.t.Skip("needs an x86-64 machine: it knows where the loader is there")
	}
	loader, err := filepath.EvalSymlinks("/lib64/ld-linux-x86-64.so.2")
	b.must(err)
	for from, to := range map[string]string{loader: "lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6": "lib/x86_64-linux-gnu/libc.so.6"} {
		data, err := os.ReadFile(from)
		b.must(err)
		b.must(os.MkdirAll(filepath.Dir(b.rootfs(to)), 0o755))
		b.must(os.WriteFile(b.rootfs(to), data, 0o755))
	}
}

// CVE-2019-5736: nothing of the host can be reached through the program that
// makes the container.
func TestSelfExeIsNotTheHosts(t *testing.T) {
	b := newBox(t)
	b.config.Process.Args = []string{"/proc/self/exe"}
	output, exit, err := b.run("/proc/self/exe")
	if err == nil && (exit.Code() != 125 || output != "") { // what the sealed stage does without a plan
		t.Errorf("/proc/self/exe ran with status %d: %s", exit.Code(), output)
	}
	self, err := os.Executable()
	b.must(err)
	got := b.succeeds("readlink", "/proc/self/exe")
	if got != "/bin/busybox" || strings.Contains(got, self) {
		t.Errorf("the program's executable is %q", got)
	}
}

// CVE-2024-21626: no descriptor but the standard streams is there, and none
// serves as a working directory.
func TestNoLeakedDescriptors(t *testing.T) {
	b := newBox(t)
	got := b.succeeds("sh", "-c", "for f in /proc/self/fd/*; do readlink -f $f >/dev/null && echo ${f##*/}; done")
	for _, fd := range strings.Fields(got) {
		if fd > "3" || len(fd) > 1 { // 3 is the shell's own, of the directory
			t.Errorf("descriptor %s is open", fd)
		}
	}
	for fd := 3; fd <= 64; fd++ {
		b.config.Process.Cwd = fmt.Sprintf("/proc/self/fd/%d", fd)
		if output, _, err := b.run("/bin/true"); err == nil {
			t.Errorf("working directory %s was entered: %s", b.config.Process.Cwd, output)
		}
	}
	if left := b.remains(); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

// CVE-2026-41579: the root's /dev is a link to a directory of the host.
func TestDevIsALink(t *testing.T) {
	b := newBox(t)
	victim := t.TempDir()
	b.must(os.WriteFile(filepath.Join(victim, "ptmx"), []byte("keep"), 0o644))
	b.must(os.Remove(b.rootfs("dev")))
	b.must(os.Symlink(victim, b.rootfs("dev")))
	b.config.Mounts = b.config.Mounts[:1]
	b.config.Linux.MaskedPaths, b.config.Linux.ReadonlyPaths = nil, nil
	b.run("/bin/true")
	entries, err := os.ReadDir(victim)
	b.must(err)
	if data, _ := os.ReadFile(filepath.Join(victim, "ptmx")); len(entries) != 1 || string(data) != "keep" {
		t.Errorf("the host's directory was changed: %v", entries)
	}
}

// CVE-2019-19921: /proc and /sys are links, or the wrong thing covers /proc.
func TestProcIsGuarded(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(b *box)
		want    string
	}{
		{"proc is a link", func(b *box) { b.relink("proc", "/tmp") }, "must be mounted on ordinary directory"},
		{"sys is a link", func(b *box) { b.relink("sys", "tmp") }, "must be mounted on ordinary directory"},
		{"tmpfs on proc", func(b *box) {
			b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: "/proc", Type: "tmpfs", Source: "tmpfs"})
		}, "not of type proc"},
		{"bind inside proc through a link", func(b *box) {
			b.must(os.Symlink("/proc/self", b.rootfs("link")))
			b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: "/link/attr", Type: "tmpfs", Source: "tmpfs"})
		}, "inside /proc"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBox(t)
			test.prepare(b)
			if _, _, err := b.run("/bin/true"); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func (b *box) relink(path, target string) {
	b.t.Helper()
	b.must(os.Remove(b.rootfs(path)))
	b.must(os.Symlink(target, b.rootfs(path)))
}

func TestBadInput(t *testing.T) {
	for _, test := range []struct{ name, config, want string }{
		{"truncated", `{"ociVersion": "1.0.2", "process": {`, "config.json"},
		{"not json", "\x7fELF", "config.json"},
		{"nested", strings.Repeat("[", 100000), "config.json"},
		{"wrong type", `{"ociVersion":"1.0.2","process":{"args":[1]}}`, "process.args"},
		{"no root", `{"ociVersion":"1.0.2","process":{"args":["x"],"cwd":"/"}}`, "root"},
		{"contradiction", `{"ociVersion":"1.0.2","root":{"path":"rootfs"},"process":{"args":["x"],"cwd":"/"},"hostname":"x","linux":{}}`, "hostname"},
		{"no rootfs", `{"ociVersion":"1.0.2","root":{"path":"none"},"process":{"args":["x"],"cwd":"/"},"linux":{}}`, "none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBox(t)
			b.must(os.WriteFile(filepath.Join(b.dir, "config.json"), []byte(test.config), 0o644))
			bundle, err := LoadBundle(b.dir, "")
			if err == nil {
				_, err = b.runtime.Create("box", bundle, CreateOptions{})
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, test.want)
			}
			if left := b.remains(); left != "" {
				t.Errorf("left behind:\n%s", left)
			}
		})
	}
}

func TestBadIDs(t *testing.T) {
	b := newBox(t)
	b.config.Process.Args = []string{"true"}
	bundle, err := b.load()
	b.must(err)
	for _, id := range []string{"", ".", "..", "../x", "a/b", "a\x00b", "a b", strings.Repeat("x", 1025), ".seccomp"} {
		if _, err := b.runtime.Create(id, bundle, CreateOptions{}); !errors.Is(err, ErrInvalidID) {
			t.Errorf("id %.20q: %v", id, err)
		}
		if _, err := b.runtime.Load(id); !errors.Is(err, ErrInvalidID) {
			t.Errorf("load of id %.20q: %v", id, err)
		}
	}
	if left := b.remains(); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

// A profile need not allow anything that the runtime does, and a capability
// that is not there to give is a warning.
func TestWhatNeedsNoPermission(t *testing.T) {
	for _, nnp := range []bool{true, false} {
		for _, test := range []struct {
			name    string
			profile specs.LinuxSeccomp
		}{
			{"getcwd denied", specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
				{Names: []string{"getcwd"}, Action: specs.ActErrno}}}},
			{"killed by default", specs.LinuxSeccomp{DefaultAction: specs.ActKill, Syscalls: []specs.LinuxSyscall{
				{Names: []string{"execve", "exit_group", "exit", "arch_prctl", "set_tid_address", "brk", "mmap", "munmap", "mprotect",
					"set_robust_list", "rseq", "prlimit64", "getrandom", "readlink", "readlinkat", "uname", "getuid", "geteuid",
					"getgid", "getegid", "setuid", "setgid", "write", "newfstatat", "fstat", "rt_sigprocmask", "prctl"}, Action: specs.ActAllow}}}},
		} {
			t.Run(fmt.Sprintf("%s, no_new_privs=%v", test.name, nnp), func(t *testing.T) {
				b := newBox(t)
				b.config.Process.NoNewPrivileges = nnp
				b.config.Linux.Seccomp = &test.profile
				b.config.Process.Rlimits = append(b.config.Process.Rlimits, specs.POSIXRlimit{Type: "RLIMIT_AS", Soft: 64 << 20, Hard: 64 << 20})
				b.succeeds("/bin/true")
			})
		}
	}
}

func TestUngrantableCapability(t *testing.T) {
	b := newBox(t)
	for _, set := range []*[]string{&b.config.Process.Capabilities.Bounding, &b.config.Process.Capabilities.Permitted} {
		*set = append(*set, "CAP_SYS_RESOURCE", "CAP_OF_TOMORROW")
	}
	b.succeeds("/bin/true")
	if got := strings.Join(b.warned, "\n"); !strings.Contains(got, "CAP_OF_TOMORROW") {
		t.Errorf("warnings: %s", got)
	}
}

// The plan's operations seen from inside, with and without a user namespace.
func TestInside(t *testing.T) {
	for _, userns := range []bool{false, true} {
		t.Run(fmt.Sprintf("userns=%v", userns), func(t *testing.T) {
			b := newBox(t)
			if userns {
				b.userNamespace()
			}
			b.file("etc/passwd", "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n", 0o644)
			umask := uint32(0o077)
			p := b.config.Process
			p.User = specs.User{UID: 1000, GID: 1001, AdditionalGids: []uint32{5, 6}, Umask: &umask}
			p.Cwd = "/made/here"
			b.config.Hostname = "inside"
			b.config.Linux.Sysctl = map[string]string{"kernel.shmmax": "12345"}
			got := b.succeeds("sh", "-c", `id -u; id -g; id -G; umask; pwd; hostname; echo $HOME; cat /proc/sys/kernel/shmmax
				cat /proc/kcore 2>/dev/null | wc -c; touch /x 2>/dev/null || echo ro; ls /proc/acpi | wc -l`)
			want := "1000\n1001\n1001 5 6\n0077\n/made/here\ninside\n/home/user\n12345\n0\nro\n0"
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// What Plan gives is what Create does, and planning makes nothing.
func TestPlan(t *testing.T) {
	b := newBox(t)
	b.config.Process.Args = []string{"true"}
	bundle, err := b.load()
	b.must(err)
	p, err := b.runtime.Plan("box", bundle, CreateOptions{StartLater: true})
	b.must(err)
	if text := p.String(); !strings.Contains(text, "new-fs type=proc") || !strings.Contains(text, "await-start") {
		t.Errorf("plan:\n%s", text)
	}
	if _, err := json.Marshal(p); err != nil {
		t.Error(err)
	}
	if left := b.remains(); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

// Linux 3.19: who maps only himself may not call setgroups(2) in his namespace.
func TestSetgroupsDenied(t *testing.T) {
	own := &specs.Linux{
		UIDMappings: []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(os.Geteuid()), Size: 1}},
		GIDMappings: []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(os.Getegid()), Size: 1}},
	}
	for _, test := range []struct {
		name  string
		linux *specs.Linux
		caps  uint64
		want  bool
	}{
		{"no mappings", &specs.Linux{}, 0, false},
		{"own ids without privilege", own, 0, true},
		{"own ids with privilege", own, 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := setgroupsDenied(test.linux, test.caps); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
