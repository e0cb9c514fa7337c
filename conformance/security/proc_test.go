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

	"github.com/davit-containers/davit/conformance/needs"
)

// Nothing of the configuration or the image is mounted over the container's
// proc, nor within it but where lxcfs puts its files. CVE-2019-16884,
// CVE-2019-19921, CVE-2025-31133; runc#4817 for /proc/net/dev.
func TestMountOverProc(t *testing.T) {
	for _, dest := range []string{
		"/proc", "/proc/", "proc", "/proc/self", "/proc/self/attr", "/proc/self/attr/exec", "/proc/thread-self", "/proc/sys",
		"/proc/sys/kernel", "/proc/sysrq-trigger", "/proc/net/dev", "/proc/net", "/proc/1", "/proc/self/fd", "/proc/self/uid_map",
		"/etc/../proc/sys", "/./proc/self/../sys", "/link", "/link/self", "/link/sys", "/up/proc/sys", "/far/self",
	} {
		for _, kind := range []string{"tmpfs", "bind"} {
			t.Run(kind+" at "+dest, func(t *testing.T) {
				b := newBundle(t)
				b.link("link", "/proc")
				b.link("up", "..")
				b.link("far", "link")
				source := b.TempDir()
				if strings.HasSuffix(dest, "exec") || strings.HasSuffix(dest, "trigger") || strings.HasSuffix(dest, "dev") || strings.HasSuffix(dest, "uid_map") {
					source = filepath.Join(b.dir, "file")
					b.must(os.WriteFile(source, nil, 0o666))
				}
				m := specs.Mount{Destination: dest, Type: kind, Source: source}
				if kind == "bind" {
					m.Options = []string{"rbind"}
				}
				b.config.Mounts = append(b.config.Mounts, m)
				if pid, _ := b.create(); pid != 0 {
					t.Errorf("it was mounted: %+v", b.mountsOf(fmt.Sprint(pid)))
				}
			})
		}
	}
}

// lxcfs's files may lie over those of proc.
func TestMountOverMeminfo(t *testing.T) {
	b := newBundle(t)
	source := filepath.Join(b.dir, "meminfo")
	b.must(os.WriteFile(source, []byte("less\n"), 0o644))
	b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: "/proc/meminfo", Type: "bind", Source: source, Options: []string{"bind", "ro"}})
	if got := b.shell("cat /proc/meminfo"); got != "less" {
		t.Errorf("/proc/meminfo holds %q", got)
	}
}

// written asks for all that a runtime writes to files of proc. Of those, the
// domain name's file is the same in all namespaces, so that it can be covered.
func (b *bundle) written() {
	b.config.Linux.Sysctl = map[string]string{"kernel.domainname": "inside", "kernel.shmmax": "4321"}
	b.config.Process.OOMScoreAdj = new(987)
	b.config.Process.User.AdditionalGids = []uint32{7}
}

// checkWritten has the container say what came of it.
func (b *bundle) checkWritten(r result) {
	b.Helper()
	if want := "inside\n4321\n987"; !r.failed() && r.out != want {
		b.Errorf("the container has %q, want %q", r.out, want)
	}
}

const readWritten = "cat /proc/sys/kernel/domainname /proc/sys/kernel/shmmax /proc/self/oom_score_adj"

// What lies over the runtime's own proc takes none of its writes: the
// container is refused or has what it was to have. CVE-2019-16884,
// CVE-2025-52881 (GHSA-cgrx-mc8f-2prm), CVE-2025-62596.
func TestFalseProc(t *testing.T) {
	covers := []struct{ name, source, fstype, target string }{
		{"a file over a sysctl", "FILE", "", "/proc/sys/kernel/domainname"},
		{"another file of proc over a sysctl", "/proc/sys/kernel/hostname", "", "/proc/sys/kernel/domainname"},
		{"another directory of proc over sysctls", "/proc/sys/vm", "", "/proc/sys/kernel"},
		{"a file system over sysctls", "tmpfs", "tmpfs", "/proc/sys"},
		{"a file system over proc", "tmpfs", "tmpfs", "/proc"},
		{"a directory over proc", "DIR", "", "/proc"},
		{"a directory of proc over proc", "/proc/1", "", "/proc"},
		{"a link's target over proc", "/proc/sys", "", "/proc"},
	}
	eachKind(t, func(b *bundle) {
		for _, cover := range covers {
			b.Run(cover.name, func(t *testing.T) {
				b := b.sibling(t)
				b.written()
				c := b.canary(procFiles...)
				source := map[string]string{"FILE": filepath.Join(c.dir, "file"), "DIR": c.dir}[cover.source]
				if source == "" {
					source = cover.source
				}
				onOwnThread(func() {
					b.ownMounts()
					flags := uintptr(unix.MS_BIND)
					if cover.fstype != "" {
						flags = 0
					}
					b.must(unix.Mount(source, cover.target, cover.fstype, flags, ""))
					b.checkWritten(b.run("sh", "-c", readWritten))
				})
			})
		}
	})
}

// procFiles are what a runtime may look for in a proc.
var procFiles = []string{"self/attr/exec", "self/uid_map", "self/gid_map", "self/setgroups", "self/oom_score_adj", "sys/kernel/domainname", "sys/kernel/shmmax"}

// ownMounts gives this thread a mount namespace to spoil.
func (b *bundle) ownMounts() {
	b.Helper()
	b.must(unix.Unshare(unix.CLONE_NEWNS))
	b.must(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
}

// A file comes to lie over a sysctl and goes again, while containers are made.
// CVE-2025-52881.
func TestExchangedSysctl(t *testing.T) {
	eachKind(t, func(b *bundle) {
		b.written()
		c := b.canary()
		onOwnThread(func() {
			b.ownMounts()
			for _, source := range []string{filepath.Join(c.dir, "file"), "/proc/sys/kernel/hostname"} {
				a := b.attack("attack-mount", source, "/proc/sys/kernel/domainname")
				for range 4 * *rounds { // the file lies there for the smaller part of the time
					b.checkWritten(b.run("sh", "-c", readWritten))
					b.remove()
				}
				a.stop()
			}
		})
	})
}

// A container covers its own proc with files that look right, before another
// process comes in: what is meant for the true ones goes there.
// CVE-2019-16884, CVE-2025-52881.
func TestContainersOwnProc(t *testing.T) {
	for _, cover := range []string{"tmpfs", "files"} {
		t.Run(cover, func(t *testing.T) {
			eachKind(t, func(b *bundle) {
				for _, set := range []*[]string{&b.config.Process.Capabilities.Bounding, &b.config.Process.Capabilities.Effective, &b.config.Process.Capabilities.Permitted} {
					*set = append(*set, "CAP_SYS_ADMIN")
				}
				b.config.Process.OOMScoreAdj = new(100)
				b.started("sh", "-c", map[string]string{
					"tmpfs": "mount -t tmpfs fake /proc; mkdir -p /proc/self/attr /proc/thread-self/attr; for f in self/oom_score_adj thread-self/oom_score_adj self/attr/exec thread-self/attr/exec; do echo untouched > /proc/$f; done; touch /ready; sleep 1000",
					"files": "echo untouched > /fake; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do mount -o bind /fake /proc/$i/oom_score_adj; done 2>/dev/null; touch /ready; sleep 1000",
				}[cover])
				b.ready()
				b.execScored()
			})
		})
	}
}

// ready waits for the file that the container's program makes.
func (b *bundle) ready() {
	b.Helper()
	watch, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	b.must(err)
	defer unix.Close(watch)
	_, err = unix.InotifyAddWatch(watch, b.root(""), unix.IN_CREATE)
	b.must(err)
	for {
		if _, err := os.Stat(b.root("ready")); err == nil {
			return
		}
		fds := []unix.PollFd{{Fd: int32(watch), Events: unix.POLLIN}}
		if n, _ := unix.Poll(fds, int(patience.Milliseconds())); n == 0 {
			b.Fatal("the container is never ready")
		}
		unix.Read(watch, make([]byte, 4096))
	}
}

// execScored executes a process with an OOM score of its own, and looks from
// the host where that went.
func (b *bundle) execScored() {
	b.Helper()
	process := filepath.Join(b.dir, "process.json")
	b.must(os.WriteFile(process, []byte(`{"cwd":"/","args":["/bin/sleep","1000"],"env":["PATH=/bin"],"oomScoreAdj":555,"user":{"uid":0,"gid":0}}`), 0o644))
	pidFile := filepath.Join(b.dir, "exec-pid")
	r := b.call("exec", "--detach", "--pid-file", pidFile, "--process", process, b.id)
	if r.failed() {
		b.Logf("exec is refused: %v", r)
		return
	}
	pid, err := os.ReadFile(pidFile)
	b.must(err)
	score, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/oom_score_adj")
	b.must(err)
	if strings.TrimSpace(string(score)) != "555" {
		b.Errorf("the process's OOM score is %s, want 555: it went to a false file", score)
	}
	if data, err := os.ReadFile(b.root("fake")); err == nil && string(data) != "untouched\n" {
		b.Errorf("the false file holds %q", data)
	}
}

// A label is set or the container is refused: it never runs less confined.
// CVE-2019-16884.
func TestLabel(t *testing.T) {
	enabled, _ := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	b := newBundle(t)
	b.config.Process.ApparmorProfile = "a-profile-that-is-not-loaded"
	if r := b.run("true"); !r.failed() {
		t.Errorf("it runs without its profile (AppArmor enabled: %q)", enabled)
	}
	if _, err := os.Stat("/sys/fs/selinux/enforce"); err != nil {
		b.config.Process.ApparmorProfile = ""
		b.config.Process.SelinuxLabel = "system_u:system_r:container_t:s0"
		if r := b.run("true"); !r.failed() {
			t.Error("it runs without its SELinux label")
		}
	}
}

// confinement is a profile that lets everything be done.
const confinement = `profile davit-security-test flags=(attach_disconnected,mediate_deleted) {
	capability, file, mount, umount, pivot_root, network, ptrace, signal, unix, change_profile,
}
`

// confine loads the profile, while the test runs.
func (b *bundle) confine() {
	b.Helper()
	_, err := os.ReadFile("/sys/kernel/security/apparmor/profiles")
	needs.Kernel(b.T, needs.AppArmor, err)
	parser := needs.Program(b.T, "apparmor_parser")
	parse := func(action string) {
		cmd := exec.Command(parser, action, "--skip-cache")
		cmd.Stdin = strings.NewReader(confinement)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	parse("--replace")
	b.Cleanup(func() { parse("--remove") })
}

// Where there is AppArmor, a process that runs has the label that was asked
// for, whatever the image has done to its proc.
func TestLabelIsSet(t *testing.T) {
	b := newBundle(t)
	b.confine()
	b.config.Process.ApparmorProfile = "davit-security-test"
	b.config.Process.Args = []string{"sleep", "1000"}
	b.atExec(func(pid int) {
		label, err := os.ReadFile(fmt.Sprintf("/proc/%d/attr/current", pid))
		if err != nil || strings.TrimSpace(string(label)) != "davit-security-test (enforce)" {
			t.Errorf("the label is %q, %v", label, err)
		}
	})
	b.remove() // before the profile, which ends its hold on the process
}
