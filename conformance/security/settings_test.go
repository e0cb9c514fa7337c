package security

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// hostSysctls must stay as they are, whatever a configuration says.
var hostSysctls = []string{"kernel/core_pattern", "kernel/domainname", "kernel/shm_rmid_forced", "kernel/shmmax", "net/ipv4/ip_default_ttl", "fs/suid_dumpable", "vm/panic_on_oom", "user/max_mnt_namespaces"}

// A sysctl of the host is set by no name, no value, and no namespace that is
// the host's. CVE-2022-0811, CVE-2022-0532.
func TestSysctls(t *testing.T) {
	evil := "|/bin/evil"
	tests := []struct {
		name, key, value string
		set              func(s *specs.Spec)
	}{
		{"of the host", "kernel.core_pattern", evil, nil},
		{"of the host, with slashes", "kernel/core_pattern", evil, nil},
		{"two in a value", "kernel.shm_rmid_forced", "1+kernel.core_pattern=" + evil, nil},
		{"two in a value by a line", "kernel.shm_rmid_forced", "1\nkernel.core_pattern=" + evil, nil},
		{"two in a value by a space", "kernel.shm_rmid_forced", "1 kernel.core_pattern=" + evil, nil},
		{"two in a key", "kernel.shm_rmid_forced=1+kernel.core_pattern", evil, nil},
		{"up from net", "net/../kernel/core_pattern", evil, nil},
		{"up from net by dots", "net.//.kernel.core_pattern", evil, nil},
		{"up from mqueue", "fs/mqueue/../suid_dumpable", "2", nil},
		{"up from user", "user/../kernel/core_pattern", evil, nil},
		{"up and up", "net/ipv4/../../../sysrq-trigger", "h", nil},
		{"absolute", "/kernel/core_pattern", evil, nil},
		{"empty", "", evil, nil},
		{"NUL", "net\x00/../kernel/core_pattern", evil, nil},
		{"of memory", "vm.panic_on_oom", "1", nil},
		{"network of the host", "net.ipv4.ip_default_ttl", "61", func(s *specs.Spec) { without(s, specs.NetworkNamespace) }},
		{"network of the host by path", "net.ipv4.ip_default_ttl", "61", func(s *specs.Spec) { join(s, specs.NetworkNamespace, "/proc/1/ns/net") }},
		{"ipc of the host", "kernel.shmmax", "4321", func(s *specs.Spec) { without(s, specs.IPCNamespace) }},
		{"ipc of the host by path", "kernel.shmmax", "4321", func(s *specs.Spec) { join(s, specs.IPCNamespace, "/proc/1/ns/ipc") }},
		{"domain name of the host", "kernel.domainname", "evil", func(s *specs.Spec) { without(s, specs.UTSNamespace) }},
		{"users of the host", "user.max_mnt_namespaces", "4321", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBundle(t)
			before := sysctls()
			if tt.set != nil {
				tt.set(b.config)
			}
			b.config.Linux.Sysctl = map[string]string{tt.key: tt.value}
			r := b.run("true")
			if !r.failed() {
				t.Errorf("%q was accepted", tt.key)
			}
			for name, value := range sysctls() {
				if value != before[name] {
					t.Errorf("the host's %s is %q, was %q", name, value, before[name])
					os.WriteFile("/proc/sys/"+name, []byte(before[name]), 0)
				}
			}
		})
	}
}

func sysctls() map[string]string {
	values := map[string]string{}
	for _, name := range hostSysctls {
		data, _ := os.ReadFile("/proc/sys/" + name)
		values[name] = string(data)
	}
	return values
}

// without leaves a namespace out, and what needs it.
func without(s *specs.Spec, kind specs.LinuxNamespaceType) {
	var kept []specs.LinuxNamespace
	for _, ns := range s.Linux.Namespaces {
		if ns.Type != kind {
			kept = append(kept, ns)
		}
	}
	s.Linux.Namespaces = kept
}

// join has a namespace joined instead of made.
func join(s *specs.Spec, kind specs.LinuxNamespaceType, path string) {
	for i := range s.Linux.Namespaces {
		if s.Linux.Namespaces[i].Type == kind {
			s.Linux.Namespaces[i].Path = path
		}
	}
}

// Annotations that mean something to some runtime make this one write nothing
// on the host. CVE-2024-3154, CVE-2023-6476, CVE-2026-53488 (GHSA-xhf5-7wjv-pqxp).
func TestAnnotations(t *testing.T) {
	for _, name := range strings.Fields("run.oci.hooks.stdout run.oci.hooks.stderr run.oci.handler org.criu.config org.systemd.property.ExecStartPre " +
		"run.oci.systemd.subgroup run.oci.delegate-cgroup run.oci.pidfd_receiver run.oci.seccomp.receiver run.oci.seccomp.plugins " +
		"run.oci.keep_original_groups module.wasm.image/variant hooks bundle rootfs") {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t)
			c := b.canary()
			made := filepath.Join(c.dir, "made")
			b.config.Annotations = map[string]string{name: map[string]string{
				"run.oci.handler":                   "krun",
				"org.criu.config":                   filepath.Join(c.dir, "file"),
				"org.systemd.property.ExecStartPre": "[('/bin/touch', ['/bin/touch', '" + made + "'], false)]",
				"run.oci.systemd.subgroup":          "../../..",
				"run.oci.delegate-cgroup":           "../../..",
				"run.oci.keep_original_groups":      "1",
				"module.wasm.image/variant":         "compat",
				"hooks":                             "[]",
				"bundle":                            c.dir,
				"rootfs":                            "/",
			}[name]}
			if b.config.Annotations[name] == "" {
				b.config.Annotations[name] = made
			}
			b.config.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/busybox", Args: []string{"echo", "hook"}}}}
			if got := b.run("sh", "-c", "id -G"); !got.failed() && strings.TrimSpace(got.out) != "0" {
				b.Errorf("the container's groups are %s", got.out)
			}
		})
	}
}

// What the runtime keeps of a container is for its owner alone, whatever the
// umask. CVE-2021-41103 (GHSA-c2h3-6mxw-7mvq), CVE-2024-25621.
func TestStateModes(t *testing.T) {
	for _, mask := range []int{0, 0o077, 0o777} {
		t.Run(fmt.Sprintf("umask %#o", mask), func(t *testing.T) {
			b := newBundle(t)
			b.config.Process.Args = []string{"sleep", "1000"}
			b.write()
			old := syscall.Umask(mask)
			r := b.callQuietly("create", "--bundle", b.dir, "--pid-file", filepath.Join(b.dir, "pid"), b.id)
			syscall.Umask(old)
			b.ok(r)
			b.modes()
			umask := b.status(b.pid())["Umask"]
			if umask != "0022" {
				t.Errorf("the container's umask is %s", umask)
			}
		})
	}
}

// callQuietly is call for a umask under which the test's own files would be
// made wrong.
func (b *bundle) callQuietly(args ...string) result {
	b.Helper()
	p, err := os.StartProcess(b.runtime, append([]string{b.runtime, "--root", b.state()}, args...), &os.ProcAttr{Files: []*os.File{nil, nil, nil}, Env: os.Environ()})
	b.must(err)
	state, err := p.Wait()
	b.must(err)
	return result{code: state.ExitCode()}
}

// modes reports which files of the state others can read, write or connect to.
func (b *bundle) modes() {
	b.Helper()
	b.must(filepath.WalkDir(b.state(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch mode := info.Mode(); {
		case mode.Perm()&0o022 != 0 && b.reachable(path):
			b.Errorf("%s can be written by others: %v", path, mode)
		case mode.IsRegular() && mode.Perm()&0o044 != 0 && b.reachable(path):
			b.Errorf("%s can be read by others: %v", path, mode)
		case d.IsDir() && mode.Perm()&0o700 != 0o700:
			b.Errorf("%s cannot be used by its owner: %v", path, mode)
		}
		return nil
	}))
}

// reachable tells whether others may search the directories above a file.
func (b *bundle) reachable(path string) bool {
	for dir := filepath.Dir(path); dir != b.dir; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o011 == 0 {
			return false
		}
	}
	return true
}
