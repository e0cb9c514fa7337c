package security

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// atExec stops the container's process between its execve(2) and the
// program's first instruction, and has it looked at there.
func (b *bundle) atExec(look func(pid int)) {
	b.Helper()
	pid := b.created()
	onOwnThread(func() {
		if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, unix.PTRACE_O_TRACEEXEC, 0, 0); errno != 0 {
			b.Errorf("tracing process %d: %v", pid, errno)
			return
		}
		started := make(chan result)
		go func() { started <- b.call("start", b.id) }()
		if err := untilExec(pid); err != nil {
			b.Errorf("waiting for execve: %v", err)
		} else {
			look(pid)
		}
		unix.PtraceDetach(pid)
		if r := <-started; r.failed() {
			b.Errorf("start: %v", r)
		}
	})
}

// untilExec lets a traced process go on until it has executed a program.
func untilExec(pid int) error {
	for {
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil {
			return err
		}
		if !status.Stopped() {
			return errors.New("the process ended")
		}
		if status.TrapCause() == unix.PTRACE_EVENT_EXEC {
			return nil
		}
		sig := int(status.StopSignal())
		if sig == int(unix.SIGTRAP) {
			sig = 0
		}
		if err := unix.PtraceCont(pid, sig); err != nil {
			return err
		}
	}
}

// What a program begins with is what the configuration says, and no more.
// CVE-2016-9962, CVE-2022-24769, CVE-2022-29162 (GHSA-f3fp-gc8g-vw66),
// CVE-2022-27650, CVE-2025-27612, CVE-2024-21626, CVE-2020-14370.
func TestBeginning(t *testing.T) {
	eachKind(t, func(b *bundle) {
		b.config.Process.User = specs.User{UID: 1000, GID: 1001, AdditionalGids: []uint32{5, 6}}
		b.config.Process.Env = []string{"PATH=/bin", "HOME=/", "ONLY=this"}
		b.config.Process.Args = []string{"sleep", "1000"}
		b.config.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"kexec_load"}, Action: specs.ActErrno}}}
		b.env = append(os.Environ(), "HOSTS_SECRET=1")
		b.atExec(func(pid int) {
			b.checkStatus(pid)
			b.checkFiles(pid)
			b.checkPlace(pid)
		})
	})
}

// checkStatus compares the process's rights and identity.
func (b *bundle) checkStatus(pid int) {
	b.Helper()
	first := 0
	if b.hasUserNamespace() {
		first = firstHostID
	}
	id := func(n int) string { return strings.TrimSpace(strings.Repeat(fmt.Sprintf("%d ", first+n), 4)) }
	caps := fmt.Sprintf("%016x", 1<<unix.CAP_CHOWN|1<<unix.CAP_DAC_OVERRIDE|1<<unix.CAP_KILL|1<<unix.CAP_MKNOD|
		1<<unix.CAP_NET_BIND_SERVICE|1<<unix.CAP_SETGID|1<<unix.CAP_SETUID|1<<unix.CAP_SYS_CHROOT)
	none := fmt.Sprintf("%016x", 0)
	got := b.status(pid)
	for name, want := range map[string]string{
		"Uid": id(1000), "Gid": id(1001), "Groups": fmt.Sprintf("%d %d", first+5, first+6),
		"CapInh": none, "CapPrm": none, "CapEff": none, "CapAmb": none, "CapBnd": caps, // execve by a user who is not root
		"NoNewPrivs": "1", "Seccomp": "2", "Umask": "0022", "SigBlk": none, "SigIgn": none, "SigCgt": none, "Threads": "1",
	} {
		if got[name] != want {
			b.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}

// status is the fields of /proc/PID/status.
func (b *bundle) status(pid int) map[string]string {
	b.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	b.must(err)
	fields := map[string]string{}
	for line := range strings.SplitSeq(string(data), "\n") {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.Join(strings.Fields(value), " ")
	}
	return fields
}

// checkFiles compares what the process holds.
func (b *bundle) checkFiles(pid int) {
	b.Helper()
	if got := b.descriptors(pid); !slices.Equal(got, []string{"0", "1", "2"}) {
		b.Errorf("descriptors %v are open", got)
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	b.must(err)
	if got := strings.Split(strings.TrimRight(string(env), "\x00"), "\x00"); !slices.Equal(got, b.config.Process.Env) {
		b.Errorf("the environment is %q, want %q", got, b.config.Process.Env)
	}
	for name, want := range map[string]string{"cwd": "/", "exe": "/bin/busybox", "root": "/"} {
		if got, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, name)); err != nil || got != want {
			b.Errorf("%s is %q, %v", name, got, err)
		}
	}
}

// descriptors are the numbers of those that are open in a process.
func (b *bundle) descriptors(pid int) (open []string) {
	b.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	b.must(err)
	for _, link := range links {
		open = append(open, filepath.Base(link))
	}
	slices.Sort(open)
	return open
}

// checkPlace compares where the process is: its cgroup, namespaces, mounts.
func (b *bundle) checkPlace(pid int) {
	b.Helper()
	cgroup, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	b.must(err)
	for _, controller := range []string{"devices", ""} {
		if strings.Contains(string(cgroup), ":"+controller+":") && !strings.Contains(string(cgroup), ":"+controller+":/"+b.id) {
			b.Errorf("it is not in its cgroup of controller %q:\n%s", controller, cgroup)
		}
	}
	for _, ns := range []string{"pid", "net", "ipc", "uts", "mnt"} {
		own, err := os.Readlink("/proc/thread-self/ns/" + ns)
		b.must(err)
		if got, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, ns)); got == own {
			b.Errorf("it is in the host's %s namespace", ns)
		}
	}
	all := b.mountsOf(fmt.Sprint(pid))
	b.confined(all)
	for _, m := range all {
		if m.point != "/" && m.root != "/" && m.fstype != "proc" && m.fstype != "devtmpfs" && !strings.HasSuffix(m.root, "/dev/null") && m.root != "/null" {
			b.Errorf("%s of %s is mounted at %s", m.root, m.fstype, m.point)
		}
	}
}

// Until it executes its program the process is nobody's to look into: its
// files are the runtime's. CVE-2016-9962, CVE-2019-5736.
func TestCreatedIsOpaque(t *testing.T) {
	eachKind(t, func(b *bundle) {
		b.config.Process.User = specs.User{UID: 1000, GID: 1000}
		pid := b.created()
		var st unix.Stat_t
		b.must(unix.Stat(fmt.Sprintf("/proc/%d/mem", pid), &st))
		if st.Uid != 0 {
			b.Errorf("the waiting process's files in /proc belong to user %d: it is dumpable", st.Uid)
		}
	})
}

// The same where it is root, seen by a root of no capabilities, as one in a
// container is that shares its processes.
func TestCreatedIsOpaqueToRoot(t *testing.T) {
	b := newBundle(t)
	setpriv := needs.Program(t, "setpriv")
	b.config.Process.Capabilities = nil
	pid := b.created()
	for _, what := range []string{"exe", "root", "fd/0"} {
		out, err := exec.Command(setpriv, "--bounding-set=-all", "--inh-caps=-all", "readlink", fmt.Sprintf("/proc/%d/%s", pid, what)).CombinedOutput()
		if err == nil {
			t.Errorf("the waiting process's %s is %s", what, out)
		}
	}
}

// The container has a session keyring of its own.
func TestKeyring(t *testing.T) {
	eachKind(t, func(b *bundle) {
		b.attackerProgram()
		own := keyring(nil)
		got := b.ok(b.run("/attacker", "attack-keyring")).out
		if strings.Fields(got)[0] == strings.Fields(own)[0] || !strings.HasSuffix(got, "<nil>") {
			b.Errorf("the keyring is %q, the host's %q", got, own)
		}
	})
}

// attackerProgram puts this program, which is static, into the root file system.
func (b *bundle) attackerProgram() {
	b.Helper()
	data, err := os.ReadFile("/proc/self/exe")
	b.must(err)
	b.file("attacker", string(data), 0o755)
}
