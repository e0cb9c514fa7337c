package libcontainer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/host"
	"github.com/davit-containers/davit/libcontainer/plan"
	"github.com/davit-containers/davit/libcontainer/spec"
)

// nestedVar is set in the container in which TestNested runs itself again; it
// names the setting.
const nestedVar = "DAVIT_TEST_NESTED"

// A container in a container, of hosts that refuse some system calls to what
// runs in theirs, as old seccomp profiles do, or give no rights on cgroups.
func TestNested(t *testing.T) {
	if setting := os.Getenv(nestedVar); setting != "" {
		nested(t, setting)
		return
	}
	refuse := func(errno unix.Errno, calls ...string) func(*box) {
		return func(b *box) {
			number := uint(errno)
			b.config.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow,
				Syscalls:      []specs.LinuxSyscall{{Names: calls, Action: specs.ActErrno, ErrnoRet: &number}},
			}
		}
	}
	mounts := []string{"open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick"}
	all := []string{"openat2", "mount_setattr", "bpf", "close_range", "keyctl", "faccessat2"}
	for _, setting := range []struct {
		name   string
		change func(*box)
	}{
		{"free", func(*box) {}},
		{"ENOSYS", refuse(unix.ENOSYS, append(all, "clone3")...)},
		{"EPERM", refuse(unix.EPERM, all...)},
		{"ENOSYS, mounts too", refuse(unix.ENOSYS, append(mounts, all...)...)},
		{"EPERM, mounts too", refuse(unix.EPERM, append(mounts, all...)...)},
		{"part of the mount API", refuse(unix.ENOSYS, "move_mount")},
		{"few capabilities", func(b *box) {
			b.capabilities("CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_MKNOD", "CAP_KILL")
		}},
		{"cgroups read-only", func(b *box) { b.cgroupMount("ro") }},
		{"user namespace", func(b *box) { b.userNamespace() }},
	} {
		t.Run(setting.name, func(t *testing.T) {
			b := newOuterBox(t)
			setting.change(b)
			b.config.Process.Env = append(b.config.Process.Env, nestedVar+"="+setting.name)
			output, exit, err := b.run("/davit.test", "-test.run=^TestNested$", "-test.v")
			if err != nil || exit.Code() != 0 || !strings.Contains(output, "--- PASS: TestNested") {
				t.Errorf("%v, %v:\n%s", exit.Code(), err, output)
			}
			if left := b.remains(); left != "" {
				t.Errorf("left behind:\n%s", left)
			}
		})
	}
}

// newOuterBox is a box in which this program runs, with the host's libraries,
// as root with all rights.
func newOuterBox(t *testing.T) *box {
	t.Helper()
	b := newBox(t)
	self, err := os.ReadFile("/proc/self/exe")
	b.must(err)
	b.must(os.WriteFile(b.rootfs("davit.test"), self, 0o755))
	for _, dir := range []string{"/lib", "/lib64", "/usr"} {
		if _, err := os.Stat(dir); err == nil {
			b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: dir, Type: "bind", Source: dir, Options: []string{"bind", "ro"}})
		}
	}
	b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs"})
	b.config.Root.Readonly = false
	b.config.Linux.MaskedPaths, b.config.Linux.ReadonlyPaths = nil, nil
	b.config.Process.NoNewPrivileges = false
	b.config.Process.Rlimits = nil
	b.capabilities(capabilitiesHeld()...)
	b.cgroupMount("rw")
	return b
}

func capabilitiesHeld() (held []string) {
	for i, name := range plan.CapabilityNames(host.LastCap()) {
		if host.EffectiveCaps()>>i&1 != 0 {
			held = append(held, name)
		}
	}
	return held
}

func (b *box) capabilities(names ...string) {
	b.config.Process.Capabilities = &specs.LinuxCapabilities{Bounding: names, Effective: names, Permitted: names}
}

// cgroupMount makes the container's cgroups writable, or not.
func (b *box) cgroupMount(mode string) {
	for i := range b.config.Mounts {
		if m := &b.config.Mounts[i]; m.Type == "cgroup" {
			m.Options = []string{"nosuid", "noexec", "nodev", mode}
		}
	}
}

// nested makes a container in the container.
func nested(t *testing.T, setting string) {
	b := newBox(t)
	b.config.Linux.CgroupsPath = "/inner"
	b.config.Process.Capabilities = nil
	b.config.Process.Rlimits = nil
	b.must(os.WriteFile(filepath.Join(b.dir, "data"), []byte("data"), 0o644))
	b.must(os.Symlink("/etc/../../../../tmp", b.rootfs("link")))
	b.config.Mounts = append(b.config.Mounts,
		specs.Mount{Destination: "/link/data", Type: "bind", Source: filepath.Join(b.dir, "data"), Options: []string{"bind", "ro", "nosuid"}})
	switch setting {
	case "cgroups read-only":
		if _, _, err := b.run("true"); err == nil || !strings.Contains(err.Error(), "[cgroups are mounted read-only here; --cgroup-manager disabled does without one]") {
			t.Errorf("got %v", err)
		}
		b.runtime.Cgroups = CgroupDisabled
	case "user namespace":
		b.config.Linux.CgroupsPath = ""
		b.config.Linux.Namespaces = append(b.config.Linux.Namespaces, specs.LinuxNamespace{Type: specs.CgroupNamespace})
	case "part of the mount API":
		if _, _, err := b.run("true"); err == nil || !strings.Contains(err.Error(), "function not implemented [davit itself is under a seccomp filter, which must allow open_tree") {
			t.Errorf("got %v", err)
		}
		return
	case "ENOSYS", "EPERM":
		b.isNotUnconfined()
		b.isWithout("openat2", "mount_setattr")
	case "ENOSYS, mounts too", "EPERM, mounts too":
		b.isNotUnconfined()
		b.isWithout("openat2", "mount_setattr", "open_tree")
	}
	b.works()
}

// isNotUnconfined fails if a container starts without the device filter that
// its configuration asks for, where bpf(2) is refused. One that may use every
// device needs none: that is what the configuration asks for then.
func (b *box) isNotUnconfined() {
	b.t.Helper()
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
		return // The devices controller of cgroup v1 has no filter.
	}
	if _, _, err := b.run("true"); err == nil || !strings.Contains(err.Error(), " [linux.resources.devices needs bpf(2), which is refused here]") {
		b.t.Errorf("got %v", err)
	}
	b.config.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}}
}

// isWithout looks into the plan.
func (b *box) isWithout(calls ...string) {
	b.t.Helper()
	bundle, err := b.load()
	b.must(err)
	p, err := b.runtime.Plan("box", bundle, CreateOptions{})
	b.must(err)
	if want := fmt.Sprintf("without calls=%q", calls); p.Steps[0].String() != want {
		b.t.Errorf("the plan begins with %s, want %s", p.Steps[0], want)
	}
}

// works runs a container, and another process in it.
func (b *box) works() {
	b.t.Helper()
	c := b.running()
	got := b.execs(c, "sh", "-c", `cat /tmp/data; echo; echo x >/tmp/data || echo read-only; touch /x || echo read-only
		touch /proc/sys/kernel/hostname || echo read-only; cat /proc/keys; ls -A /sys/firmware; echo x >/dev/null; id -u`)
	var lines []string
	for _, line := range strings.Split(got, "\n") {
		if !strings.Contains(line, "Read-only file system") && !strings.Contains(line, "can't create") {
			lines = append(lines, line)
		}
	}
	if want := "data read-only read-only read-only 0"; strings.Join(lines, " ") != want {
		b.t.Errorf("got %q", got)
	}
	if len(spec.Default().Linux.ReadonlyPaths) == 0 {
		b.t.Error("the default configuration has no read-only paths to test")
	}
}
