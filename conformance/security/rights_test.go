package security

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// No process has inheritable capabilities that nobody asked for, whatever is
// added at exec. CVE-2022-24769, CVE-2022-29162 (GHSA-f3fp-gc8g-vw66),
// CVE-2022-27650, CVE-2025-27612.
func TestInheritableCapabilities(t *testing.T) {
	eachKind(t, func(b *bundle) {
		b.started("sleep", "1000")
		for _, flags := range [][]string{nil, {"--cap", "CAP_NET_RAW"}, {"--cap", "CAP_NET_RAW", "--cap", "CAP_SYS_PTRACE"}, {"--user", "1000"}} {
			args := append(append([]string{"exec"}, flags...), b.id, "cat", "/proc/self/status")
			out := b.ok(b.call(args...)).out
			for _, set := range []string{"CapInh", "CapAmb"} {
				if !strings.Contains(out, set+":\t0000000000000000\n") {
					b.Errorf("exec %v: %s is not empty:\n%s", flags, set, out)
				}
			}
		}
		b.ok(b.call("kill", b.id, "KILL"))
	})
}

// A process that comes in later has no more than the container: not the
// capabilities of the host, not its groups.
func TestExecIsNoMore(t *testing.T) {
	eachKind(t, func(b *bundle) {
		b.started("sleep", "1000")
		first := b.ok(b.call("exec", b.id, "grep", "-E", "^(Cap|Groups|NoNewPrivs|Seccomp:)", "/proc/1/status")).out
		later := b.ok(b.call("exec", b.id, "grep", "-E", "^(Cap|Groups|NoNewPrivs|Seccomp:)", "/proc/self/status")).out
		if first != later {
			b.Errorf("a later process has\n%s\nthe first\n%s", later, first)
		}
		place := "cat /proc/self/cgroup; readlink /proc/self/ns/*; cat /proc/self/uid_map"
		if one, two := b.ok(b.call("exec", b.id, "sh", "-c", strings.ReplaceAll(place, "self", "1"))).out, b.ok(b.call("exec", b.id, "sh", "-c", place)).out; one != two {
			b.Errorf("a later process is at\n%s\nthe first at\n%s", two, one)
		}
	})
}

// user is one of no privilege, on the host.
const user = 4321

// Without privilege, and without a cgroup namespace, the host's cgroups that
// the user may change are not the container's to change. CVE-2023-25809
// (GHSA-m8cg-xc2p-r3fc).
func TestRootlessCgroups(t *testing.T) {
	root := &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: user, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: user, Size: 1}},
		Credential:  &syscall.Credential{NoSetGroups: true},
	}
	plain := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	for name, attr := range map[string]*syscall.SysProcAttr{"root of a namespace": root, "user": plain} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t)
			if attr == plain {
				b.config.Linux.Namespaces = append(b.config.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
				own := []specs.LinuxIDMapping{{ContainerID: 0, HostID: user, Size: 1}}
				b.config.Linux.UIDMappings, b.config.Linux.GIDMappings = own, own
			}
			b.config.Linux.CgroupsPath = ""
			b.env = []string{"PATH=" + os.Getenv("PATH"), "USER=somebody"}
			b.config.Linux.Resources = nil
			b.config.Process.Capabilities = nil
			b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup"})
			b.config.Mounts = slices.DeleteFunc(b.config.Mounts, func(m specs.Mount) bool { return m.Type == "mqueue" })
			b.config.Process.Args = []string{"sh", "-c", "cd /sys/fs/cgroup; mkdir DELEGATED/new && echo made; mkdir new && echo made; mount -o remount,rw,bind /sys/fs/cgroup && mkdir DELEGATED/again && echo made; true"}
			onOwnThread(func() { b.inDelegated(attr) })
		})
	}
}

// inDelegated runs the container as a user to whom a cgroup is delegated, on a
// host with cgroup2.
func (b *bundle) inDelegated(attr *syscall.SysProcAttr) {
	b.Helper()
	b.must(unix.Unshare(unix.CLONE_NEWNS))
	b.must(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	if err := unix.Unmount("/sys/fs/cgroup", unix.MNT_DETACH); err != nil {
		b.Skip("needs the host's own cgroup mounts, to put cgroup2 in their place: ", err)
	}
	b.must(unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""))
	delegated := filepath.Join("/sys/fs/cgroup", "delegated-"+b.id)
	b.must(os.Mkdir(delegated, 0o755))
	defer os.Remove(delegated)
	b.must(os.Chown(delegated, user, user))
	defer os.Remove(delegated + "/new")
	args := b.config.Process.Args
	args[2] = strings.ReplaceAll(args[2], "DELEGATED", filepath.Base(delegated))
	b.writeConfig()
	b.must(filepath.WalkDir(b.dir, func(path string, _ os.DirEntry, err error) error {
		return os.Lchown(path, user, user)
	}))
	r := b.callWith(func(cmd *exec.Cmd) { cmd.SysProcAttr = attr }, "run", "--bundle", b.dir, b.id)
	if r.failed() || strings.Contains(r.out, "made") {
		b.Errorf("the container could change the host's cgroups, or did not run: %v", r)
	}
}
