package host

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/moby/sys/mountinfo"
	"github.com/syndtr/gocapability/capability"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

func TestParseVersion(t *testing.T) {
	tests := []struct {
		name, release string
		want          Version
	}{
		{"plain", "5.14", Version{5, 14}},
		{"patch", "6.18.44", Version{6, 18}},
		{"Red Hat", "5.14.0-427.el9.x86_64", Version{5, 14}},
		{"release candidate", "6.12-rc3", Version{6, 12}},
		{"no minor", "6", Version{}},
		{"empty", "", Version{}},
		{"words", "linux.six", Version{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := parseVersion(tt.release); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestCheckKernel(t *testing.T) {
	tests := []struct {
		name string
		v    Version
		want string
	}{
		{"the floor", Version{5, 14}, ""},
		{"newer", Version{6, 1}, ""},
		{"unknown", Version{}, ""},
		{"5.13", Version{5, 13}, "cgroup.kill: not in Linux 5.13 [needs Linux 5.14]"},
		{"5.10", Version{5, 10}, "close_range(2) with CLOSE_RANGE_CLOEXEC: not in Linux 5.10 [needs Linux 5.14]"},
		{"5.4", Version{5, 4}, "openat2(2): not in Linux 5.4 [needs Linux 5.14]"},
		{"4.18", Version{4, 18}, "the mount API with file descriptors (fsopen(2)): not in Linux 4.18 [needs Linux 5.14]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := checkKernel(tt.v)
			if tt.want == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if err == nil || err.Error() != tt.want || !errors.As(err, new(*sys.UnsupportedError)) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	if features[len(features)-1].since != floor {
		t.Error("the newest feature is not of the floor")
	}
}

func TestHierarchies(t *testing.T) {
	mounts := []mount{
		{"/x", "/cg/cpu,cpuacct", "cgroup", "rw,cpu,cpuacct"},
		{"/", "/cg/memory", "cgroup", "rw,memory,release_agent=/sbin/cpu"},
		{"/", "/cg/systemd", "cgroup", "rw,xattr,name=systemd"},
		{"/", "/again/memory", "cgroup", "rw,memory"},
		{"/", "/cg/none", "cgroup", "ro,noprefix,clone_children"},
	}
	want := []Hierarchy{
		{[]string{"cpu", "cpuacct"}, "/cg/cpu,cpuacct", "/x"},
		{[]string{"memory"}, "/cg/memory", "/"},
		{[]string{"name=systemd"}, "/cg/systemd", "/"},
	}
	if got := hierarchies(mounts); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestParseMount(t *testing.T) {
	tests := []struct {
		name, line string
		want       mount
		ok         bool
	}{
		{"plain", "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n", mount{"/", "/sys/fs/cgroup/cpu", "cgroup", "rw,cpu"}, true},
		{"optional fields", "32 31 0:29 /a /b rw shared:1 master:2 - proc none rw", mount{"/a", "/b", "proc", "rw"}, true},
		{"escaped", `32 31 0:29 /a\040b /c\134d\012 rw - tmpfs a\040b rw`, mount{`/a\040b`, `/c\134d\012`, "tmpfs", "rw"}, true},
		{"no source", "32 31 0:29 / /b rw - tmpfs  rw", mount{"/", "/b", "tmpfs", "rw"}, true},
		{"cut", "32 31 0:29 / /b rw - tmpfs", mount{}, false},
		{"no dash", "32 31 0:29 / /b rw tmpfs tmpfs rw", mount{}, false},
		{"empty", "", mount{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := parseMount(tt.line); got != tt.want || ok != tt.ok {
				t.Errorf("got %+v, %v, want %+v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
	for escaped, want := range map[string]string{`/a\040b\134\012`: "/a b\\\n", `/a\`: `/a\`, `/a\9999`: `/a\9999`, "/a": "/a"} {
		if got := unescape(escaped); got != want {
			t.Errorf("%s: got %q, want %q", escaped, got, want)
		}
	}
}

// moby/sys/mountinfo is the reference for the mounts of this machine.
func TestMountsAsMountinfo(t *testing.T) {
	kinds := []string{"proc", "sysfs", "cgroup", "cgroup2", "tmpfs", "ext4", "overlay"}
	got, err := mounts(kinds...)
	if err != nil {
		t.Fatal(err)
	}
	infos, err := mountinfo.GetMounts(mountinfo.FSTypeFilter(kinds...))
	if err != nil {
		t.Fatal(err)
	}
	var want []mount
	for _, m := range infos {
		want = append(want, mount{m.Root, m.Mountpoint, m.FSType, m.VFSOptions})
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestFullProcMounts(t *testing.T) {
	points, err := FullProcMounts()
	if err != nil || !slices.Contains(points, "/proc") {
		t.Errorf("got %v, %v", points, err)
	}
}

func TestUIDMap(t *testing.T) {
	tests := []struct {
		name, uidMap string
		want         bool
	}{
		{"first", "         0          0 4294967295\n", true},
		{"shifted", "         0     100000      65536\n", false},
		{"own id", "      1000          0          1\n", false},
		{"two", "0 0 4294967294\n4294967294 4294967294 1\n", false},
		{"none", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := mapsEverything(tt.uidMap); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// The named library is the reference for names and numbers.
func TestCapabilityNames(t *testing.T) {
	for _, c := range capability.List() {
		name := "CAP_" + strings.ToUpper(c.String())
		if n, ok := CapNumber(name); n != int(c) || !ok {
			t.Errorf("%s: got %d, %v, want %d", name, n, ok, c)
		}
		if got := CapName(int(c)); got != name {
			t.Errorf("%d: got %s, want %s", c, got, name)
		}
	}
	for _, name := range []string{"chown", "CHOWN", "CAP_NONE", ""} {
		if n, ok := CapNumber(name); ok {
			t.Errorf("%q: got %d", name, n)
		}
	}
	if got := CapName(63); got != "CAP_63" {
		t.Errorf("got %s", got)
	}
}

// What the kernel says about this process in /proc/self/status.
func TestOwnStatus(t *testing.T) {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{
		"CapEff": pad(EffectiveCaps()),
		"CapBnd": pad(BoundingCaps()),
	}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		if v, ok := got[name]; ok && v != strings.TrimSpace(value) {
			t.Errorf("%s: got %s, want %s", name, v, strings.TrimSpace(value))
		}
	}
	last, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err == nil && strings.TrimSpace(string(last)) != strconv.Itoa(LastCap()) {
		t.Errorf("last capability: got %d, want %s", LastCap(), last)
	}
}

func pad(set uint64) string {
	s := strconv.FormatUint(set, 16)
	return strings.Repeat("0", 16-len(s)) + s
}

func TestThisMachine(t *testing.T) {
	if err := CheckKernel(); err != nil {
		t.Error(err)
	}
	if Kernel() == (Version{}) {
		t.Error("no kernel version")
	}
	if _, err := os.Stat("/proc/sys/kernel/seccomp"); (err == nil) != Seccomp() {
		t.Errorf("seccomp: got %v, /proc/sys/kernel/seccomp: %v", Seccomp(), err)
	}
	if enabled, err := os.ReadFile("/proc/self/attr/apparmor/current"); err == nil && !AppArmor() {
		t.Errorf("this process has the AppArmor label %s", enabled)
	}
	if SELinux() && fsType("/sys/fs/selinux") == 0 {
		t.Error("SELinux without its file system")
	}
	if dir := Resctrl(); dir != "" && fsType(dir) != unix.RDTGROUP_SUPER_MAGIC {
		t.Errorf("resctrl: got %s", dir)
	}
}

func TestCgroupsOfThisMachine(t *testing.T) {
	v1, err := CgroupV1Mounts()
	if err != nil {
		t.Fatal(err)
	}
	if hasV1 := Cgroups() == CgroupV1 || Cgroups() == CgroupHybrid; hasV1 != (len(v1) > 0) {
		t.Errorf("mode %v, hierarchies %v", Cgroups(), v1)
	}
	for _, h := range v1 {
		if _, err := os.Stat(filepath.Join(h.Mountpoint, "cgroup.procs")); err != nil {
			t.Error(err)
		}
	}
}

func TestProc(t *testing.T) {
	f, err := Proc()
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := Proc(); again != f {
		t.Error("opened twice")
	}
	for _, path := range []string{"/proc/sys", "/", "/proc/self"} {
		if _, err := openProc(path); err == nil {
			t.Errorf("%s passes for a procfs's root", path)
		}
	}
	if _, err := openProc("/proc/1"); err == nil || err.Error() != "open /proc/1: not the root of a procfs" {
		t.Errorf("got %v", err)
	}
}

// again runs this test in a process made by attr, after the shell script
// prepare, and tells whether it is already there.
func again(t *testing.T, prepare string, attr *syscall.SysProcAttr) bool {
	t.Helper()
	if os.Getenv("HOST_AGAIN") == t.Name() {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-ec", prepare+` exec "$0" "$@"`, self, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "HOST_AGAIN="+t.Name())
	cmd.SysProcAttr = attr
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	return false
}

func TestInUserNS(t *testing.T) {
	if os.Getenv("HOST_AGAIN") == "" {
		probe := exec.Command("true")
		probe.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
		needs.Kernel(t, needs.UserNamespaces, probe.Run())
	}
	if again(t, "", &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}) && !InUserNS() {
		t.Error("in a new user namespace: got false")
	}
}

func TestPureCgroup2(t *testing.T) {
	needs.Root(t, "it mounts cgroup2")
	view := "mount --make-rprivate /; umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup;"
	if !again(t, view, &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}) {
		return
	}
	if Cgroups() != CgroupV2 || Cgroups().String() != "v2" {
		t.Errorf("got %v", Cgroups())
	}
	if v1, err := CgroupV1Mounts(); len(v1) != 0 || err != nil {
		t.Errorf("got %v, %v", v1, err)
	}
}

// Something that lies over /proc is found out.
func TestProcOverMounted(t *testing.T) {
	needs.Root(t, "it mounts a file system over /proc")
	if !again(t, "", &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}) {
		return
	}
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		t.Fatal(err)
	}
	for name, over := range map[string]func() error{
		"tmpfs":            func() error { return unix.Mount("tmpfs", "/proc", "tmpfs", 0, "") },
		"a part of procfs": func() error { return unix.Mount("/proc/1", "/proc", "", unix.MS_BIND, "") },
	} {
		if err := over(); err != nil {
			t.Fatal(err)
		}
		if _, err := openProc("/proc"); err == nil || err.Error() != "open /proc: not the root of a procfs" {
			t.Errorf("%s: got %v", name, err)
		}
		unix.Unmount("/proc", unix.MNT_DETACH)
	}
}
