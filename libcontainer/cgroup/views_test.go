package cgroup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/cgroups"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/guard"
	"github.com/davit-containers/davit/conformance/needs"
)

// The library asks once in a process which cgroup version there is. So each
// test that needs the kernel is named TestKernel..., and TestViews runs these
// in one process for each arrangement of hierarchies that this machine can
// show in a mount namespace of its own.
const (
	viewVar   = "DAVIT_TEST_CGROUP_VIEW"
	helperVar = "DAVIT_TEST_CGROUP_HELPER"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(helperVar); role != "" {
		os.Exit(help(role))
	}
	if view, arranged := strings.CutSuffix(os.Getenv(viewVar), " arranged"); view != "" && !arranged {
		// The library has asked already: a new program must.
		err := arrange(view)
		if err == nil {
			_ = os.Setenv(viewVar, view+" arranged")
			err = unix.Exec("/proc/self/exe", os.Args, os.Environ())
		}
		fmt.Printf("arranging the %s view: %v\n", view, err)
		os.Exit(3)
	}
	os.Exit(guard.Run(m.Run))
}

// arrange changes what is mounted at /sys/fs/cgroup, in our mount namespace.
func arrange(view string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	switch view {
	case "native":
	case "v1":
		return unix.Unmount(mountpoint+"/unified", 0)
	case "v2":
		if err := unix.Unmount(mountpoint, unix.MNT_DETACH); err != nil {
			return err
		}
		return unix.Mount("cgroup2", mountpoint, "cgroup2", 0, "")
	}
	return nil
}

func TestViews(t *testing.T) {
	needs.Root(t, "it makes cgroups and a mount namespace")
	views := []string{"native"}
	if cgroups.IsCgroup2HybridMode() {
		views = append(views, "v1", "v2")
	}
	for _, view := range views {
		t.Run(view, func(t *testing.T) {
			args := []string{"-test.run=^TestKernel", "-test.v"}
			if testing.Short() {
				args = append(args, "-test.short")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
			cmd.WaitDelay = time.Second
			cmd.Env = append(os.Environ(), viewVar+"="+view)
			cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
			out, err := cmd.CombinedOutput()
			if bytes.HasPrefix(out, []byte("arranging ")) {
				if view == "v2" {
					needs.Kernel(t, needs.Cgroup2, errors.New(string(out)))
				}
				t.Skipf("needs hierarchies of cgroup v1: %s", bytes.TrimSpace(out))
			}
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			} else {
				t.Logf("\n%s", out)
			}
		})
	}
}

// needView skips a test that TestViews runs.
func needView(t testing.TB) {
	t.Helper()
	if os.Getenv(viewVar) == "" {
		t.Skip("runs in TestViews")
	}
}

// needControllers skips a test where a controller is not on the hierarchy.
func needControllers(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if cgroups.IsCgroup2UnifiedMode() {
			have, err := readControllers(mountpoint)
			if err != nil {
				t.Fatal(err)
			}
			if !have.has(name) {
				needs.Controller(t, name, 2)
			}
			continue
		}
		if _, err := os.Stat(filepath.Join(mountpoint, name, "release_agent")); err != nil {
			needs.Controller(t, name, 1)
		}
	}
}

// specWith returns a configuration with a cgroupsPath of this test's own.
func specWith(t testing.TB, resources *specs.LinuxResources) *specs.Spec {
	t.Helper()
	return &specs.Spec{Linux: &specs.Linux{
		CgroupsPath: testPath(t, "c"),
		Resources:   resources,
	}}
}

// testPath returns a cgroupsPath of this test's own. Its parent is removed at
// the end of the test, and whatever a failed test has left in it.
func testPath(t testing.TB, name string) string {
	t.Helper()
	parent := "/" + guard.Name() + strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())
	t.Cleanup(func() { sweep(t, parent) })
	return parent + "/" + name
}

// sweep kills and removes the cgroup parent in every hierarchy, and fails the
// test if there was anything in it.
func sweep(t testing.TB, parent string) {
	t.Helper()
	for _, dir := range everywhere(t, parent) {
		below := cgroupsBelow(dir)
		if len(below) > 0 {
			t.Errorf("cgroups are left: %q", below)
		}
		s := Saved{Driver: Cgroupfs, Unified: cgroups.IsCgroup2UnifiedMode(), Paths: map[string]string{"": dir, "devices": dir, "freezer": dir}}
		m := &Manager{saved: s, backend: disabled{}}
		_ = m.KillAll()
		if err := newDrain(deleteTime).remove(dir); err != nil {
			t.Error(err)
		}
	}
}

// everywhere returns the paths of an absolute cgroup path in all hierarchies.
func everywhere(t testing.TB, path string) []string {
	t.Helper()
	paths, err := pathsOf(path, hostVersion(), false)
	if err != nil {
		t.Fatal(err)
	}
	return Saved{Paths: paths}.directories()
}

// newManager returns a manager for a configuration, which the test removes.
func newManager(t testing.TB, spec *specs.Spec) *Manager {
	t.Helper()
	m, err := New(Options{ID: "test", Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.KillAll(); err != nil {
			t.Error(err)
		}
		if err := m.Delete(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// start runs a program in the cgroup of m, by its way of joining, and returns
// when it is in the cgroup. The program reads a line before it does anything.
func start(t testing.TB, m *Manager, program ...string) *exec.Cmd {
	t.Helper()
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program[0], program[1:]...)
	cmd.Env = os.Environ()
	cmd.Stderr = os.Stderr
	if m.Joins() == JoinByAttach {
		return cmd
	}
	dir, err := m.File()
	if err != nil {
		t.Fatal(err)
	}
	if dir != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	}
	return cmd
}

// join finishes what start began, once cmd has been started.
func join(t testing.TB, m *Manager, cmd *exec.Cmd) {
	t.Helper()
	entered := func() {}
	if m.Joins() == JoinBySelf {
		entered = enterBySelf(t, m, cmd)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	entered()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if m.Joins() == JoinByAttach {
		if err := m.Attach(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
	}
}

// enterBySelf makes the cgroup and lets the program enter it before anything
// else. It returns a function that waits until it has.
func enterBySelf(t testing.TB, m *Manager, cmd *exec.Cmd) (entered func()) {
	t.Helper()
	if err := m.Make(); err != nil {
		t.Fatal(err)
	}
	const script = `while [ "$1" != -- ]; do echo 0 >"$1" || exit; shift; done; shift; exec 3>&-; exec "$@"`
	args := []string{"sh", "-c", script, "sh"}
	for _, e := range m.Entrances() {
		args = append(args, e.File)
	}
	program, err := filepath.EvalSymlinks(cmd.Path) // of /proc/self, while it is ours
	if err != nil {
		t.Fatal(err)
	}
	cmd.Args = append(append(args, "--", program), cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{w}
	return func() {
		w.Close()
		_, _ = r.Read(make([]byte, 1))
		r.Close()
	}
}

// run starts a program in the cgroup of m and applies the limits.
func run(t testing.TB, m *Manager, program ...string) *exec.Cmd {
	t.Helper()
	cmd := start(t, m, program...)
	join(t, m, cmd)
	if err := m.Limit(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// content returns the content of a file of the cgroup of m.
func content(t testing.TB, m *Manager, controller, file string) string {
	t.Helper()
	dir := m.Paths()[controller]
	if m.saved.Unified {
		dir = m.Paths()[""]
	}
	text, err := readFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(text)
}

func ptr[T any](v T) *T { return &v }
