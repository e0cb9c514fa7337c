package security

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// listing prints the descriptors of the shell that runs it, the last of which
// is the one that it reads the directory by.
const listing = "cd /proc/self/fd && echo *"

// leaky hands the runtime descriptors of the host's directories, as an engine
// that forgets O_CLOEXEC does: those from 3 on.
func leaky(b *bundle, count int) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) {
		for range count {
			f, err := os.Open("/")
			b.must(err)
			b.Cleanup(func() { f.Close() })
			cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		}
	}
}

// The caller's descriptors end with the runtime, but for those that are to be
// passed on. CVE-2024-21626 (GHSA-xr7r-f8xq-vfvv).
func TestCallersDescriptors(t *testing.T) {
	eachKind(t, func(b *bundle) {
		b.config.Process.Args = []string{"sh", "-c", listing}
		b.write()
		if r := b.ok(b.callWith(leaky(b, 20), "run", "--bundle", b.dir, b.id)); r.out != "0 1 2 3" {
			b.Errorf("run: descriptors %s", r.out)
		}
		b.remove()
		if r := b.ok(b.callWith(leaky(b, 20), "run", "--preserve-fds", "2", "--bundle", b.dir, b.id)); r.out != "0 1 2 3 4 5" {
			b.Errorf("run --preserve-fds 2: descriptors %s", r.out)
		}
		b.remove()
		b.config.Process.Args = []string{"sleep", "1000"}
		b.write()
		b.ok(b.callWith(leaky(b, 20), "create", "--bundle", b.dir, b.id))
		b.ok(b.callWith(leaky(b, 20), "start", b.id))
		if got := strings.Join(b.descriptors(b.pid()), " "); got != "0 1 2" {
			b.Errorf("create, start: descriptors %s", got)
		}
		if r := b.ok(b.callWith(leaky(b, 20), "exec", b.id, "sh", "-c", listing)); r.out != "0 1 2 3" {
			b.Errorf("exec: descriptors %s", r.out)
		}
		if r := b.ok(b.callWith(leaky(b, 20), "exec", "--preserve-fds", "1", b.id, "sh", "-c", listing)); r.out != "0 1 2 3 4" {
			b.Errorf("exec --preserve-fds 1: descriptors %s", r.out)
		}
	})
}

// No descriptor of the runtime's serves as a working directory, and none is
// reached by a link of the image's to one. CVE-2024-21626.
func TestDescriptorAsDirectory(t *testing.T) {
	eachKind(t, func(b *bundle) {
		for fd := 3; fd <= 64; fd += stride(b) {
			b.config.Process.Cwd = fmt.Sprintf("/proc/self/fd/%d", fd)
			b.config.Process.Args = []string{"sh", "-c", "pwd; ls ../../../../.."}
			b.write()
			if r := b.callWith(leaky(b, 6), "run", "--bundle", b.dir, b.id); !r.failed() {
				b.Errorf("run in %s: %v", b.config.Process.Cwd, r)
			}
			b.remove()
		}
		b.config.Process.Cwd = "/"
		b.started("sleep", "1000")
		for fd := 3; fd <= 64; fd += stride(b) {
			for _, cwd := range []string{fmt.Sprintf("/proc/self/fd/%d", fd), fmt.Sprintf("/proc/thread-self/fd/%d/..", fd), fmt.Sprintf("/dir%d", fd)} {
				b.link(fmt.Sprintf("dir%d", fd), fmt.Sprintf("/proc/self/fd/%d", fd))
				if r := b.callWith(leaky(b, 6), "exec", "--cwd", cwd, b.id, "sh", "-c", "pwd; ls"); !r.failed() && !strings.HasPrefix(r.out, "/") {
					b.Errorf("exec in %s: %v", cwd, r)
				} else if !r.failed() && strings.Contains(r.out, "vmlinuz") {
					b.Errorf("exec in %s sees the host: %v", cwd, r)
				}
			}
		}
	})
}

// stride leaves numbers out where rounds are few.
func stride(b *bundle) int {
	if *rounds < 50 && b.hasUserNamespace() {
		return 7
	}
	if *rounds < 50 {
		return 3
	}
	return 1
}

// A hook has its streams, the environment that the configuration gives it and
// nothing of the container's: not LD_PRELOAD of the image, no descriptor.
// CVE-2025-23266, CVE-2024-21626.
func TestHooks(t *testing.T) {
	eachKind(t, func(b *bundle) {
		out := filepath.Join(b.dir, "hooks")
		b.must(os.Mkdir(out, 0o777))
		b.must(os.Chmod(out, 0o777))
		b.must(os.Mkdir(b.root("hooks"), 0o777))
		b.must(os.Chmod(b.root("hooks"), 0o777))
		hook := func(name, dir string, env ...string) []specs.Hook {
			script := fmt.Sprintf("exec > %s/%s; pwd; /bin/busybox cat /proc/self/environ; echo; %s", dir, name, listing)
			return []specs.Hook{{Path: "/bin/busybox", Args: []string{"sh", "-c", script}, Env: env}}
		}
		b.config.Process.Env = []string{"PATH=/bin", "LD_PRELOAD=/evil.so", "LD_LIBRARY_PATH=/evil", "CONTAINERS_OWN=1"}
		b.env = []string{"PATH=" + os.Getenv("PATH"), "CALLERS=1"}
		b.config.Hooks = &specs.Hooks{
			Prestart: hook("prestart", out, "A=b"), CreateRuntime: hook("createRuntime", out), CreateContainer: hook("createContainer", out),
			StartContainer: hook("startContainer", "/hooks", "A=b"), Poststart: hook("poststart", out), Poststop: hook("poststop", out),
		}
		b.config.Process.Args = []string{"sleep", "1000"}
		b.write()
		b.ok(b.callWith(leaky(b, 6), "create", "--preserve-fds", "2", "--bundle", b.dir, b.id))
		b.ok(b.callWith(leaky(b, 6), "start", b.id))
		b.ok(b.callWith(leaky(b, 6), "delete", "--force", b.id))
		callers := "CALLERS=1 PATH=" + os.Getenv("PATH")
		for name, want := range map[string][2]string{
			"prestart": {b.dir, "A=b"}, "createRuntime": {b.dir, callers}, "createContainer": {b.root(""), ""},
			"poststart": {b.dir, callers}, "poststop": {b.dir, callers},
		} {
			b.checkHook(name, filepath.Join(out, name), want[0], want[1])
		}
		b.checkHook("startContainer", b.root("hooks/startContainer"), "/", "A=b")
	})
}

// checkHook compares what a hook wrote: its directory, environment, descriptors.
func (b *bundle) checkHook(name, file, dir, env string) {
	b.Helper()
	data, err := os.ReadFile(file)
	b.must(err)
	lines := strings.Split(string(data), "\n")
	if len(lines) < 3 {
		b.Fatalf("%s wrote %q", name, data)
	}
	got := slices.DeleteFunc(strings.Split(strings.TrimRight(lines[1], "\x00"), "\x00"), shellsOwn)
	slices.Sort(got)
	for what, pair := range map[string][2]string{
		"directory": {lines[0], dir}, "environment": {strings.Join(got, " "), env}, "descriptors": {lines[2], "0 1 2 3"},
	} {
		if pair[0] != pair[1] {
			b.Errorf("%s of %s is %q, want %q", what, name, pair[0], pair[1])
		}
	}
}

// shellsOwn tells which variables busybox's shell adds.
func shellsOwn(variable string) bool {
	name, value, _ := strings.Cut(variable, "=")
	return name == "PWD" || name == "OLDPWD" || name == "SHLVL" || name == "PATH" && value == "/sbin:/usr/sbin:/bin:/usr/bin"
}

// The runtime's own program is out of reach: as the container's program, as
// an interpreter, as a hook, through the processes that execs make, and by a
// container that removes it after a write. CVE-2019-5736.
func TestOwnProgram(t *testing.T) {
	eachKind(t, func(b *bundle) {
		before := b.checksum()
		b.file("bin/script", "#!/proc/self/exe\n", 0o755)
		b.link("bin/exe", "/proc/self/exe")
		for _, name := range []string{"/proc/self/exe", "/proc/1/exe", "/bin/script", "/bin/exe", "/proc/thread-self/exe"} {
			if r := b.run(name, "--version"); !r.failed() {
				b.Errorf("%s was executed: %v", name, r)
			}
			b.remove()
		}
		b.overwritten()
		if b.checksum() != before {
			b.Errorf("the runtime's program has changed")
		}
	})
}

// overwritten has a container look for programs to overwrite, while more and
// more processes come in.
func (b *bundle) overwritten() {
	b.Helper()
	said := b.attacked("attack-programs", func() {
		b.call("exec", b.id, "/proc/self/exe")
		b.call("exec", b.id, "/bin/script")
		b.ok(b.call("exec", b.id, "true"))
	})
	if !strings.HasSuffix(said, "written 0") {
		b.Errorf("the attacker says: %s", said)
	}
}

// attacked runs an attack in a container whose root may trace processes, while
// something is done again and again, and gives what the attacker says.
func (b *bundle) attacked(attack string, do func()) string {
	b.Helper()
	b.attackerProgram()
	b.config.Process.Args = []string{"sh", "-c", "sleep 1000 | /attacker " + attack + " > /said"}
	c := b.config.Process.Capabilities
	for _, set := range []*[]string{&c.Bounding, &c.Effective, &c.Permitted} {
		*set = append(*set, "CAP_SYS_PTRACE")
	}
	b.created()
	b.ok(b.call("start", b.id))
	for range *rounds {
		do()
	}
	b.ok(b.call("exec", b.id, "sh", "-c", "kill -9 $(grep -l '^Name:.sleep' /proc/[0-9]*/status | cut -d/ -f3)"))
	b.waitFor()
	data, err := os.ReadFile(b.root("said"))
	b.must(err)
	return strings.TrimSpace(string(data))
}

// A process that comes in later brings no way to the host's proc with it: a
// root of the container that may trace processes would go that way.
func TestHostsProc(t *testing.T) {
	eachKind(t, func(b *bundle) {
		c := b.canary()
		said := b.attacked(fmt.Sprintf("attack-files %d/root%s/file", os.Getpid(), c.dir), func() {
			for range 10 {
				b.ok(b.call("exec", b.id, "true"))
			}
		})
		if said != "reached 0" {
			b.Errorf("the attacker says: %s", said)
		}
	})
}

// waitFor waits until the container's first process has ended.
func (b *bundle) waitFor() {
	b.Helper()
	pidfd, err := unix.PidfdOpen(b.pid(), 0)
	if err != nil {
		return // it has ended
	}
	defer unix.Close(pidfd)
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	if n, _ := unix.Poll(fds, int(patience.Milliseconds())); n == 0 {
		b.Fatal("the container does not end")
	}
}

func (b *bundle) checksum() string {
	b.Helper()
	data, err := os.ReadFile(b.runtime)
	b.must(err)
	return fmt.Sprintf("%x", sha256.Sum256(data))
}
