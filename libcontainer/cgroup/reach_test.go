package cgroup

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/cgroups"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// reachUser is a user without rights of its own.
const reachUser = 65534

// A user gets a cgroup in those hierarchies that were given to him, and stays
// where he is in the others.
func TestKernelReach(t *testing.T) {
	needView(t)
	given := "pids"
	if cgroups.IsCgroup2UnifiedMode() {
		given = ""
	} else {
		needControllers(t, given)
	}
	parent := testPath(t, "c")
	dir := filepath.Join(mountpoint, given, filepath.Dir(parent))
	inner := dir + "/inner"
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Rmdir(inner) })
	for _, path := range []string{dir, dir + "/cgroup.procs", inner, inner + "/cgroup.procs"} {
		if err := os.Chown(path, reachUser, reachUser); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", "-c", `echo $$ >"$1"/cgroup.procs && exec setpriv --reuid 65534 --regid 65534 --clear-groups /proc/self/fd/3`, "sh", inner)
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	cmd.ExtraFiles = []*os.File{self}
	cmd.Env = append(os.Environ(), helperVar+"=reach")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	want := fmt.Sprintf("%q %q joined\n", given, inner+"/davit-test-reach")
	if cgroups.IsCgroup2UnifiedMode() {
		want = fmt.Sprintf("%q %q joined\n", given, dir+"/davit-test-reach")
	}
	if err != nil || string(out) != want {
		t.Errorf("got %q, %v\nwant %q", out, err, want)
	}
}

// helpReach joins the cgroup that a user gets, and prints where that is.
func helpReach() int {
	m, err := New(Options{ID: "davit-test-reach", Rootless: true, Spec: &specs.Spec{Linux: &specs.Linux{}}})
	if err == nil {
		err = m.Create()
	}
	if err == nil {
		err = m.Attach(os.Getpid())
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	own, err := cgroups.ParseCgroupFile("/proc/self/cgroup")
	for name, path := range m.Places() {
		root := filepath.Join(mountpoint, strings.TrimPrefix(name, cgroups.CgroupNamePrefix))
		if name == "" && !cgroups.IsCgroup2UnifiedMode() {
			root = mountpoint + "/unified"
		}
		if path != filepath.Join(root, own[name]) {
			fmt.Printf("%q is in %s and not in %s (%v)\n", name, own[name], path, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Paths())) {
		fmt.Printf("%q %q ", name, m.Paths()[name])
	}
	fmt.Println("joined")
	leave := filepath.Dir(m.Saved().principal())
	if cgroups.IsCgroup2UnifiedMode() {
		leave += "/inner"
	}
	if err := cgroups.WriteCgroupProc(leave, os.Getpid()); err != nil {
		fmt.Println(err)
	}
	if err := m.Delete(); err != nil {
		fmt.Println(err)
	}
	return 0
}
