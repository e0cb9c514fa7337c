package libcontainer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/libcontainer/host"
	"github.com/davit-containers/davit/libcontainer/spec"
)

// The tests named TestUser... are for a user without rights. Such a user runs
// them himself; root runs them as one, in TestRootless, in several settings.
const (
	userVar   = "DAVIT_TEST_USER"   // the setting
	lockedVar = "DAVIT_TEST_LOCKED" // a mount of the host's with flags
	testUID   = 4242
)

// asUser arranges a mount namespace of its own, in which the user is known,
// and becomes him. $1 is laid over /etc, $2 is where to mount.
const asUser = `
mount -t overlay overlay -o lowerdir="$1":/etc /etc
mount -t tmpfs -o ro,nosuid,nodev,noexec,noatime locked "$2"
shift 2
exec setpriv --reuid 4242 --regid 4242 --clear-groups --inh-caps=-all -- "$@"`

func TestRootless(t *testing.T) {
	needs.Root(t, "to become another user; this one runs the tests TestUser... himself")
	for _, setting := range []struct{ name, subids string }{
		{"alone", ""},
		{"ranges", "4242:100000:65536\n"},
	} {
		t.Run(setting.name, func(t *testing.T) {
			out, err := runAsUser(t, setting.name, setting.subids)
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if bytes.Contains(out, []byte("no tests to run")) || !bytes.Contains(out, []byte("--- PASS: TestUserLife")) {
				t.Errorf("the tests did not run:\n%s", out)
			}
		})
	}
}

// runAsUser runs the tests of this package again, as a user.
func runAsUser(t *testing.T, setting, subids string) ([]byte, error) {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir), dir + "/etc", dir + "/tmp", dir + "/locked"} {
		if err := errors.Join(os.MkdirAll(d, 0o755), os.Chmod(d, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	line := fmt.Sprintf("davit-test:x:%d:%[1]d::/:/bin/sh\n", testUID)
	for name, text := range map[string]string{
		"passwd": "root:x:0:0::/:/bin/sh\n" + line, "group": "root:x:0:\n", "subuid": subids, "subgid": subids,
	} {
		if err := os.WriteFile(dir+"/etc/"+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(dir+"/tmp", testUID, testUID); err != nil {
		t.Fatal(err)
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-ec", asUser, "sh", dir+"/etc", dir+"/locked",
		"/proc/self/fd/3", "-test.run=^TestUser", "-test.v")
	cmd.ExtraFiles = []*os.File{self}
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), userVar+"="+setting, lockedVar+"="+dir+"/locked", "TMPDIR="+dir+"/tmp", "XDG_RUNTIME_DIR=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd.CombinedOutput()
}

// newUserBox is newBox for a user without rights: with the configuration for
// him, and no cgroup.
func newUserBox(t *testing.T) *box {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Skip("runs in TestRootless")
	}
	if reason := host.UserNSRefusal(); reason != "" && os.Getenv(userVar) == "" {
		t.Skip("needs user namespaces: " + reason)
	}
	b := newBox(t)
	spec.Rootless(b.config, uint32(os.Geteuid()), uint32(os.Getegid()))
	b.config.Linux.CgroupsPath = ""
	t.Cleanup(func() { b.runtime.ForceRemove("box") }) // a test that fails leaves it
	return b
}

// ranges maps the user to root and a range of ids to the rest.
func (b *box) ranges() {
	b.t.Helper()
	if os.Getenv(userVar) != "ranges" {
		b.t.Skip("runs in TestRootless/ranges: it needs lines in /etc/subuid and /etc/subgid")
	}
	l := b.config.Linux
	l.UIDMappings = append(l.UIDMappings, specs.LinuxIDMapping{ContainerID: 1, HostID: 100000, Size: 1000})
	l.GIDMappings = append(l.GIDMappings, specs.LinuxIDMapping{ContainerID: 1, HostID: 100000, Size: 1000})
}

// mount adds one.
func (b *box) mount(dest, kind, source string, options ...string) {
	b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: dest, Type: kind, Source: source, Options: options})
}

// without takes a namespace away: the container shares the host's.
func (b *box) without(kind specs.LinuxNamespaceType) {
	var kept []specs.LinuxNamespace
	for _, ns := range b.config.Linux.Namespaces {
		if ns.Type != kind {
			kept = append(kept, ns)
		}
	}
	b.config.Linux.Namespaces = kept
}

// ownSysfs asks for a sysfs where a user's configuration has a bind mount.
func (b *box) ownSysfs() {
	for i := range b.config.Mounts {
		if m := &b.config.Mounts[i]; m.Destination == "/sys" {
			*m = specs.Mount{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"ro", "nosuid"}}
		}
	}
}

func TestUserLife(t *testing.T) {
	b := newUserBox(t)
	b.config.Process.Args = []string{"sleep", "1000"}
	bundle, err := b.load()
	b.must(err)
	c, err := b.runtime.Create("box", bundle, CreateOptions{StartLater: true})
	b.must(err)
	b.expect(Created)
	if got := b.execs(c, "echo", "early"); got != "early" {
		t.Errorf("executed before the start: got %q", got)
	}
	other, err := b.runtime.Load("box")
	b.must(err)
	b.must(other.Start())
	b.expect(Running)
	if got := b.execs(c, "id", "-u"); got != "0" {
		t.Errorf("executed: got %q", got)
	}
	b.must(other.Signal(unix.SIGKILL))
	if exit, err := c.Wait(); err != nil || exit.Code() != 128+9 {
		t.Errorf("wait: %v, %v", exit, err)
	}
	b.expect(Stopped)
	b.must(other.Delete())
	if left := b.remains(); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
	if len(b.warned) > 0 {
		t.Errorf("warned: %q", b.warned)
	}
}

// Nothing is left of a container that is removed by force at any time.
func TestUserForce(t *testing.T) {
	b := newUserBox(t)
	b.config.Process.Args = []string{"sleep", "1000"}
	bundle, err := b.load()
	b.must(err)
	for _, started := range []bool{false, true} {
		c, err := b.runtime.Create("box", bundle, CreateOptions{})
		b.must(err)
		if started {
			b.must(c.Start())
		}
		b.must(b.runtime.ForceRemove("box"))
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/root/bin", c.Pid())); err == nil {
			t.Errorf("started=%v: process %d is left", started, c.Pid())
		}
		if left := b.remains(); left != "" {
			t.Errorf("started=%v: left behind:\n%s", started, left)
		}
	}
}

// What the default configuration asks for is there, as far as a user may have it.
func TestUserInside(t *testing.T) {
	b := newUserBox(t)
	got := b.succeeds("sh", "-c", `id -u; id -g; echo $(cat /proc/self/uid_map); cat /proc/self/setgroups; hostname
		for d in /proc /dev /dev/pts /dev/shm /dev/mqueue /sys; do grep -c " $d " /proc/mounts; done
		echo x >/dev/null && stat -c %t:%T /dev/null; touch /x || echo read-only; ls /sys/class`)
	want := fmt.Sprintf("0\n0\n0 %d 1\ndeny\n%s\n1\n1\n1\n1\n1\n1\n1:3\ntouch: /x: Read-only file system\nread-only\n", os.Geteuid(), b.config.Hostname)
	if !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A range of ids, as newuidmap and newgidmap allow it.
func TestUserRanges(t *testing.T) {
	b := newUserBox(t)
	b.ranges()
	b.config.Process.User = specs.User{UID: 5, GID: 6, AdditionalGids: []uint32{7}}
	b.mount("/mnt", "tmpfs", "tmpfs", "uid=5", "gid=6", "mode=0700")
	got := b.succeeds("sh", "-c", "id -u; id -g; id -G; echo x >/mnt/file; stat -c %u:%g /mnt/file; cat /proc/self/setgroups")
	if want := "5\n6\n6 7\n5:6\nallow"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A user with a range of uids and no more than his own gid.
func TestUserRangeOfUIDsOnly(t *testing.T) {
	b := newUserBox(t)
	b.ranges()
	b.config.Linux.GIDMappings = b.config.Linux.GIDMappings[:1]
	b.config.Process.User.UID = 5
	if got := b.succeeds("sh", "-c", "id -u; id -g; cat /proc/self/setgroups"); got != "5\n0\ndeny" {
		t.Errorf("got %q", got)
	}
}

// A configuration that a user cannot have is refused in words that say why.
func TestUserRefused(t *testing.T) {
	limit := int64(5)
	for _, test := range []struct {
		name, want string
		change     func(b *box)
	}{
		{"no user namespace", "rootless container requires user namespaces", func(b *box) {
			b.without(specs.UserNamespace)
			b.config.Linux.UIDMappings, b.config.Linux.GIDMappings = nil, nil
		}},
		{"groups", "cannot set any additional groups in a rootless container", func(b *box) { b.config.Process.User.AdditionalGids = []uint32{7} }},
		{"unmapped user", "unmapped uid 7 in user namespace", func(b *box) { b.config.Process.User.UID = 7 }},
		{"unmapped owner", "cannot specify gid=5 mount option for rootless container", func(b *box) { b.mount("/mnt", "tmpfs", "tmpfs", "gid=5") }},
		{"idmapped mount", "id-mapped mounts are not supported for rootless containers", func(b *box) {
			b.mount("/mnt", "bind", b.dir, "bind", "idmap")
		}},
		{"limits", "rootless needs no limits + no cgrouppath when no permission is granted for cgroups [linux.resources.pids.limit is set]", func(b *box) {
			b.config.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}}
		}},
		{"place", "permission denied", func(b *box) { b.config.Linux.CgroupsPath = "/davit-test-rootless" }},
		{"another's id", "mapping uids 0:1:1: newuidmap: exit status 1: newuidmap: uid range [0-1) -> [1-2) not allowed [/etc/subuid ",
			func(b *box) { b.config.Linux.UIDMappings[0].HostID = 1 }},
		{"oom score", "setting process.oomScoreAdj: permission denied [lowering it needs CAP_SYS_RESOURCE]", func(b *box) {
			score := -1000
			b.config.Process.OOMScoreAdj = &score
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newUserBox(t)
			test.change(b)
			if output, _, err := b.run("true"); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v %s\nwant %s", err, output, test.want)
			}
			if left := b.remains(); left != "" {
				t.Errorf("left behind:\n%s", left)
			}
		})
	}
}

// The flags of the host's mounts are locked in a user namespace: what the
// options do not name stays, and what they want lifted is an error.
func TestUserLockedFlags(t *testing.T) {
	const kept = "ro,nosuid,nodev,noexec,noatime"
	const refused = "operation not permitted [a user namespace can neither lift"
	if os.Geteuid() != 0 && os.Getenv(lockedVar) == "" {
		t.Skip("runs in TestRootless: it needs a mount with flags")
	}
	for _, test := range []struct{ options, want string }{
		{"bind", kept}, {"bind,ro", kept}, {"bind,nosuid", kept}, {"bind,noatime", kept}, {"rbind,rro", kept},
		{"bind,rw", refused}, {"bind,suid", refused}, {"bind,dev", refused}, {"bind,exec", refused}, {"bind,relatime", refused}, {"bind,nodiratime", refused}, {"rbind,rrw", refused},
	} {
		t.Run(test.options, func(t *testing.T) {
			b := newUserBox(t)
			b.mount("/mnt", "bind", os.Getenv(lockedVar), strings.Split(test.options, ",")...)
			got, _, err := b.run("sh", "-c", "while read -r id parent dev root point flags rest; do [ $point != /mnt ] || echo $flags; done </proc/self/mountinfo")
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// Where the container shares a namespace of the host's, its user namespace
// may not mount the file system that shows it: the host's is bound.
func TestUserSharesNamespaces(t *testing.T) {
	b := newUserBox(t)
	b.without(specs.PIDNamespace)
	b.without(specs.IPCNamespace)
	b.ownSysfs()
	if _, err := os.Stat("/dev/mqueue"); err != nil { // which is bound from there
		b.config.Mounts = slices.DeleteFunc(b.config.Mounts, func(m specs.Mount) bool { return m.Type == "mqueue" })
	}
	got := b.succeeds("sh", "-c", "readlink /proc/self; echo $$; ls /sys/class/net; touch /sys/x || echo read-only")
	lines := strings.Split(got, "\n")
	if lines[0] == "1" || lines[1] == "1" || !strings.Contains(got, "\nlo\n") || lines[len(lines)-1] != "read-only" {
		t.Errorf("got %q", got)
	}
	if len(b.warned) != 1 || !strings.Contains(b.warned[0], "Such configuration is strongly discouraged") {
		t.Errorf("warned: %q", b.warned)
	}
}

// A network namespace of its own has a loopback device and a sysfs.
func TestUserNetwork(t *testing.T) {
	b := newUserBox(t)
	b.config.Linux.Namespaces = append(b.config.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace})
	b.config.Linux.Sysctl = map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"}
	b.ownSysfs()
	got := b.succeeds("sh", "-c", "ls /sys/class/net; cat /sys/class/net/lo/operstate /proc/sys/net/ipv4/ip_unprivileged_port_start")
	if want := "lo\nunknown\n0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A container that joins another's namespaces, as those of a pod do.
func TestUserJoins(t *testing.T) {
	b := newUserBox(t)
	first := b.running()
	other := newUserBox(t)
	other.config.Linux.UIDMappings, other.config.Linux.GIDMappings = nil, nil
	for i := range other.config.Linux.Namespaces {
		ns := &other.config.Linux.Namespaces[i]
		if name := map[specs.LinuxNamespaceType]string{"user": "user", "pid": "pid", "ipc": "ipc", "uts": "uts"}[ns.Type]; name != "" {
			ns.Path = fmt.Sprintf("/proc/%d/ns/%s", first.Pid(), name)
		}
	}
	other.config.Hostname = ""
	for _, ns := range []string{"user", "pid", "ipc", "uts"} {
		want, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", first.Pid(), ns))
		b.must(err)
		if got := other.succeeds("readlink", "/proc/self/ns/"+ns); got != want {
			t.Errorf("%s: got %s, want %s", ns, got, want)
		}
	}
	other.config.Process.User.AdditionalGids = []uint32{7}
	if _, _, err := other.run("true"); err == nil || !strings.Contains(err.Error(), "cannot set any additional groups in a rootless container: operation not permitted") {
		t.Errorf("groups: got %v", err)
	}
}

func TestUserDevices(t *testing.T) {
	b := newUserBox(t)
	b.config.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/mine", Type: "c", Major: 1, Minor: 3}}
	_, _, err := b.run("true")
	if want := "binding the device /dev/mine: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("one that the host lacks: got %v, want %s", err, want)
	}
	b.config.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229}}
	_, err = os.Stat("/dev/fuse")
	needs.Kernel(t, needs.Fuse, err)
	if got := b.succeeds("stat", "-c", "%t:%T", "/dev/fuse"); got != "a:e5" {
		t.Errorf("got %q", got)
	}
}

// A filter is loaded with no_new_privs and without, which takes CAP_SYS_ADMIN
// in the user namespace.
func TestUserSeccomp(t *testing.T) {
	for _, nnp := range []bool{false, true} {
		t.Run(fmt.Sprintf("noNewPrivileges=%v", nnp), func(t *testing.T) {
			b := newUserBox(t)
			b.config.Process.NoNewPrivileges = nnp
			b.config.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow,
				Syscalls:      []specs.LinuxSyscall{{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActErrno}},
			}
			if got := b.succeeds("sh", "-c", "mkdir /dev/x || grep -c '^Seccomp:.*2' /proc/self/status"); !strings.HasSuffix(got, "Operation not permitted\n1") {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestUserTerminal(t *testing.T) {
	b := newUserBox(t)
	b.config.Process.Terminal = true
	b.config.Process.Args = []string{"sh", "-c", "stat -c %u:%a /dev/console; readlink /proc/self/fd/0"}
	bundle, err := b.load()
	b.must(err)
	lines := make(chan string, 2)
	c, err := b.runtime.Create("box", bundle, CreateOptions{Console: func(master *os.File) error {
		fd, err := unix.Dup(int(master.Fd()))
		b.must(err)
		go func() {
			in := os.NewFile(uintptr(fd), "master")
			defer in.Close()
			for s := bufio.NewScanner(in); s.Scan(); {
				lines <- strings.TrimSpace(s.Text())
			}
			close(lines)
		}()
		return nil
	}})
	b.must(err)
	defer c.Destroy()
	b.must(c.Start())
	for _, want := range []string{"0:620", "/dev/pts/0"} {
		if got := <-lines; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Hooks run as the user on the host, and as root in the container.
func TestUserHooks(t *testing.T) {
	b := newUserBox(t)
	file := b.dir + "/hooks"
	hook := func(name string) []specs.Hook {
		return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo " + name + " $(id -u) >>" + file}}}
	}
	inside := []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "id -u >/dev/startContainer"}}}
	b.config.Hooks = &specs.Hooks{CreateRuntime: hook("createRuntime"), CreateContainer: hook("createContainer"), StartContainer: inside, Poststart: hook("poststart"), Poststop: hook("poststop")}
	if got := b.succeeds("cat", "/dev/startContainer"); got != "0" {
		t.Errorf("startContainer: got %q", got)
	}
	got, err := os.ReadFile(file)
	uid := strconv.Itoa(os.Geteuid())
	want := "createRuntime " + uid + "\ncreateContainer 0\npoststart " + uid + "\npoststop " + uid + "\n"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
}

// The root of a user namespace that a user has made is a user as well.
func TestUserAsRoot(t *testing.T) {
	if os.Geteuid() == 0 && os.Getenv(userVar) != "root" {
		t.Skip("runs in TestRootless")
	}
	if os.Geteuid() != 0 {
		inUserNamespace(t)
		return
	}
	for _, nested := range []bool{false, true} {
		t.Run(fmt.Sprintf("nested=%v", nested), func(t *testing.T) {
			b := newBox(t)
			spec.Rootless(b.config, 0, 0)
			b.config.Linux.CgroupsPath = ""
			if !nested {
				b.without(specs.UserNamespace)
				b.config.Linux.UIDMappings, b.config.Linux.GIDMappings = nil, nil
			}
			c := b.running()
			if got := b.execs(c, "sh", "-c", "id -u; echo x >/dev/null; readlink /proc/self/ns/user"); strings.HasSuffix(got, b.link("/proc/self/ns/user")) == nested || !strings.HasPrefix(got, "0\n") {
				t.Errorf("got %q", got)
			}
		})
	}
}

func (b *box) link(path string) string {
	target, err := os.Readlink(path)
	b.must(err)
	return target
}

// inUserNamespace runs the test again as the root of a new user namespace.
func inUserNamespace(t *testing.T) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), userVar+"=root")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestUserAsRoot/nested=true")) {
		t.Errorf("%v\n%s", err, out)
	}
}
