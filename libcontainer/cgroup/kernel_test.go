package cgroup

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/cgroups"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/guard"
)

// forever is a program that does nothing.
func forever() []string { return []string{"sleep", "1000"} }

func TestKernelLife(t *testing.T) {
	needView(t)
	m := newManager(t, specWith(t, nil))
	cmd := run(t, m, forever()...)
	pid := cmd.Process.Pid
	if pids, err := m.Pids(); err != nil || !slices.Equal(pids, []int{pid}) {
		t.Fatalf("got pids %v, %v; want %d", pids, err, pid)
	}
	checkMembership(t, m, pid)
	other := reopen(t, m)
	if err := other.KillAll(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for range 2 {
		if err := other.Delete(); err != nil {
			t.Fatal(err)
		}
		if other.Exists() {
			t.Fatal("the cgroup exists after Delete")
		}
		if err := other.KillAll(); err != nil {
			t.Fatal(err)
		}
	}
}

// checkMembership compares /proc/PID/cgroup with the paths of m.
func checkMembership(t *testing.T, m *Manager, pid int) {
	t.Helper()
	in, err := cgroups.ParseCgroupFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for controller, path := range m.Paths() {
		if !strings.HasSuffix(path, in[controller]) {
			t.Errorf("in hierarchy %q the process is in %s, want %s", controller, in[controller], path)
		}
	}
}

// reopen returns a manager from what a state file would hold.
func reopen(t *testing.T, m *Manager) *Manager {
	t.Helper()
	text, err := json.Marshal(m.Saved())
	if err != nil {
		t.Fatal(err)
	}
	var saved Saved
	if err := json.Unmarshal(text, &saved); err != nil {
		t.Fatal(err)
	}
	other, err := Open(saved)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

func TestKernelLimits(t *testing.T) {
	needView(t)
	tests := []struct {
		name      string
		needs     string // controller
		resources specs.LinuxResources
		v1, v2    map[string]string // file: content
	}{
		{
			name: "memory", needs: "memory",
			resources: specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20)), Reservation: ptr(int64(32 << 20))}},
			v1:        map[string]string{"memory.limit_in_bytes": "67108864", "memory.soft_limit_in_bytes": "33554432"},
			v2:        map[string]string{"memory.max": "67108864", "memory.low": "33554432"},
		},
		{
			name: "memory without limit", needs: "memory",
			resources: specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(-1))}},
			v1:        map[string]string{"memory.limit_in_bytes": "9223372036854771712"},
			v2:        map[string]string{"memory.max": "max"},
		},
		{
			name: "oom killer and swappiness", needs: "memory",
			resources: specs.LinuxResources{Memory: &specs.LinuxMemory{DisableOOMKiller: ptr(true), Swappiness: ptr(uint64(7))}},
			v1:        map[string]string{"memory.swappiness": "7"},
		},
		{
			name: "cpu", needs: "cpu",
			resources: specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: ptr(uint64(2048)), Quota: ptr(int64(50000)), Period: ptr(uint64(100000)), Burst: ptr(uint64(20000))}},
			v1:        map[string]string{"cpu.shares": "2048", "cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000", "cpu.cfs_burst_us": "20000"},
			v2:        map[string]string{"cpu.weight": "174", "cpu.max": "50000 100000", "cpu.max.burst": "20000"},
		},
		{
			name: "idle", needs: "cpu",
			resources: specs.LinuxResources{CPU: &specs.LinuxCPU{Idle: ptr(int64(1))}},
			v1:        map[string]string{"cpu.idle": "1"},
			v2:        map[string]string{"cpu.idle": "1"},
		},
		{
			name: "cpuset", needs: "cpuset",
			resources: specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0", Mems: "0"}},
			v1:        map[string]string{"cpuset.cpus": "0", "cpuset.mems": "0"},
			v2:        map[string]string{"cpuset.cpus": "0", "cpuset.mems": "0"},
		},
		{
			name: "pids", needs: "pids",
			resources: specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(17))}},
			v1:        map[string]string{"pids.max": "17"},
			v2:        map[string]string{"pids.max": "17"},
		},
		{
			name: "no pids", needs: "pids",
			resources: specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(0))}},
			v1:        map[string]string{"pids.max": "1"},
			v2:        map[string]string{"pids.max": "1"},
		},
		{
			name: "hugetlb", needs: "hugetlb",
			resources: specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4 << 20}}},
			v1:        map[string]string{"hugetlb.2MB.limit_in_bytes": "4194304"},
			v2:        map[string]string{"hugetlb.2MB.max": "4194304", "hugetlb.2MB.rsvd.max": "4194304"},
		},
		{
			name: "unified", needs: "hugetlb",
			resources: specs.LinuxResources{Unified: map[string]string{"hugetlb.2MB.max": "2097152", "cgroup.max.depth": "3"}},
			v2:        map[string]string{"hugetlb.2MB.max": "2097152", "cgroup.max.depth": "3"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			needControllers(t, test.needs)
			want := test.v1
			if cgroups.IsCgroup2UnifiedMode() {
				want = test.v2
			}
			if want == nil {
				t.Skip("not for this cgroup version")
			}
			m := newManager(t, specWith(t, &test.resources))
			run(t, m, forever()...)
			for file, want := range want {
				if got := content(t, m, test.needs, file); got != want {
					t.Errorf("%s: got %q, want %q", file, got, want)
				}
			}
		})
	}
}

// A v1 cpuset must have processors and nodes before a process may come in.
func TestKernelCpusetInherits(t *testing.T) {
	needView(t)
	if cgroups.IsCgroup2UnifiedMode() {
		t.Skip("not for this cgroup version")
	}
	needControllers(t, "cpuset")
	spec := specWith(t, nil)
	spec.Linux.CgroupsPath = testPath(t, "a/b/c")
	m := newManager(t, spec)
	run(t, m, forever()...)
	want, err := readFile(mountpoint + "/cpuset/cpuset.cpus")
	if err != nil {
		t.Fatal(err)
	}
	if got := content(t, m, "cpuset", "cpuset.cpus"); got != strings.TrimSpace(want) {
		t.Errorf("got cpus %q, want %q", got, want)
	}
}

func TestKernelMissingController(t *testing.T) {
	needView(t)
	limit := &specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4 << 20}}}
	v1 := "linux.resources.hugepageLimits cannot be set: the hugetlb controller of cgroup v1 is not mounted"
	if cgroups.IsCgroup2UnifiedMode() {
		limit = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(4096))}}
	}
	spec := specWith(t, limit)
	m, err := New(Options{ID: "test", Spec: spec})
	if !cgroups.IsCgroup2UnifiedMode() {
		if isRoot(mountpoint + "/hugetlb") {
			t.Skip("this machine has the hugetlb controller on v1")
		}
		if err == nil || err.Error() != v1 {
			t.Errorf("got error %v, want %s", err, v1)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if have, _ := readControllers(mountpoint); have.has("memory") {
		t.Skip("this machine has the memory controller on v2")
	}
	defer func() { _ = m.Delete() }()
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("setting memory.max of cgroup %s: the memory controller is not available [linux.resources.memory.limit]", spec.Linux.CgroupsPath)
	if err := m.Limit(); err == nil || err.Error() != want {
		t.Errorf("got error %v\nwant %s", err, want)
	}
}

func TestKernelBadValue(t *testing.T) {
	needView(t)
	needControllers(t, "cpuset")
	spec := specWith(t, &specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "4095"}})
	m := newManager(t, spec)
	cmd := start(t, m, forever()...)
	err := error(nil)
	switch m.Joins() {
	case JoinByAttach:
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
		err = m.Attach(cmd.Process.Pid)
	case JoinBySelf:
		err = m.Make()
	default:
		err = m.Limit()
	}
	if err == nil || !strings.Contains(err.Error(), "4095") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got error %v", err)
	}
}

func TestKernelInUse(t *testing.T) {
	needView(t)
	spec := specWith(t, nil)
	m := newManager(t, spec)
	cmd := run(t, m, forever()...)
	_, err := New(Options{ID: "other", Spec: spec})
	if err == nil || !strings.Contains(err.Error(), "container's cgroup is not empty: 1 process(es) found") {
		t.Errorf("got error %v", err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err := m.Freeze(); err != nil {
		t.Fatal(err)
	}
	_, err = New(Options{ID: "other", Spec: spec})
	if err == nil || !strings.Contains(err.Error(), "container's cgroup unexpectedly frozen") {
		t.Errorf("got error %v", err)
	}
	if err := m.Thaw(); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{ID: "other", Spec: spec}); err != nil {
		t.Errorf("an empty cgroup is refused: %v", err)
	}
}

// On v1 a cgroup may be frozen that exists in the freezer's hierarchy alone.
func TestKernelFrozenAlone(t *testing.T) {
	needView(t)
	if cgroups.IsCgroup2UnifiedMode() {
		t.Skip("cgroup v2 has one hierarchy")
	}
	needControllers(t, "freezer")
	spec := specWith(t, nil)
	dir := mountpoint + "/freezer" + spec.Linux.CgroupsPath
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	defer unix.Rmdir(dir)
	if err := writeFile(dir+"/freezer.state", "FROZEN"); err != nil {
		t.Fatal(err)
	}
	_, err := New(Options{ID: "other", Spec: spec})
	if err == nil || !strings.Contains(err.Error(), "container's cgroup unexpectedly frozen") {
		t.Errorf("got error %v", err)
	}
	if err := writeFile(dir+"/freezer.state", "THAWED"); err != nil {
		t.Fatal(err)
	}
}

// Of two creators of one cgroup, the second leaves the first's alone.
func TestKernelTwoCreators(t *testing.T) {
	needView(t)
	spec := specWith(t, nil)
	first, second := newManager(t, spec), newManager(t, spec)
	cmd := run(t, first, forever()...)
	if err := second.Create(); err == nil || !strings.Contains(err.Error(), "container's cgroup is not empty") {
		t.Errorf("got error %v", err)
	}
	if err := second.KillAll(); err != nil {
		t.Error(err)
	}
	if err := second.Delete(); err != nil {
		t.Error(err)
	}
	if pids, err := first.Pids(); err != nil || !slices.Equal(pids, []int{cmd.Process.Pid}) {
		t.Errorf("got pids %v, %v; want %d", pids, err, cmd.Process.Pid)
	}
}

// Parents that were not there go with the container that they were made for,
// unless another is in them.
func TestKernelParents(t *testing.T) {
	needView(t)
	spec := specWith(t, nil)
	parent := filepath.Dir(spec.Linux.CgroupsPath)
	spec.Linux.CgroupsPath = parent + "/x/y/one"
	one := newManager(t, spec)
	run(t, one, forever()...)
	spec.Linux.CgroupsPath = parent + "/x/two"
	two := newManager(t, spec)
	run(t, two, forever()...)
	if err := reopen(t, one).KillAll(); err != nil {
		t.Fatal(err)
	}
	if err := reopen(t, one).Delete(); err != nil {
		t.Fatal(err)
	}
	wantDirectories(t, parent, "/x/y", false)
	wantDirectories(t, parent, "/x/two", true)
	if err := two.KillAll(); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*Manager{two, one} {
		if err := m.Delete(); err != nil {
			t.Fatal(err)
		}
	}
	wantDirectories(t, parent, "", false)
}

// A parent goes with its last container.
func TestKernelRemoveEmpty(t *testing.T) {
	needView(t)
	parent := filepath.Dir(testPath(t, "c"))
	for _, dir := range everywhere(t, parent+"/one") {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/one", ""} {
		wantDirectories(t, parent, path, true)
		if path != "" { // not while it has another
			if err := RemoveEmpty(parent); err != nil {
				t.Fatal(err)
			}
			wantDirectories(t, parent, path, true)
		}
		if err := RemoveEmpty(parent + path); err != nil {
			t.Fatal(err)
		}
		wantDirectories(t, parent, path, false)
	}
	if err := RemoveEmpty("/"); err == nil {
		t.Error("the root of the hierarchies is taken")
	}
}

// wantDirectories checks whether a cgroup exists in every hierarchy.
func wantDirectories(t *testing.T, parent, path string, want bool) {
	t.Helper()
	for _, dir := range everywhere(t, parent+path) {
		if _, err := os.Lstat(dir); (err == nil) != want {
			t.Errorf("%s: got error %v, want it to exist: %v", dir, err, want)
		}
	}
}

func TestKernelRelativePath(t *testing.T) {
	needView(t)
	own, err := cgroups.ParseCgroupFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	name := guard.Name() + "relative"
	m, err := New(Options{ID: name, Spec: &specs.Spec{}})
	if err != nil {
		t.Fatal(err)
	}
	for controller, path := range m.Paths() {
		want := filepath.Join(own[controller], name)
		if m.saved.Unified {
			want = filepath.Join(filepath.Dir(own[controller]), name)
		}
		if !strings.HasSuffix(path, want) {
			t.Errorf("hierarchy %q: got %s, want it to end in %s", controller, path, want)
		}
	}
	if m.saved.Placed || m.Exists() {
		t.Errorf("got %+v", m.saved)
	}
}

func TestKernelForkStorm(t *testing.T) {
	needView(t)
	m := newManager(t, specWith(t, nil))
	// Chains of processes that each start the next one and end: no list of
	// them is ever right. Their number and their lengths are bounded, and they
	// wait until the first is in the cgroup.
	cmd := start(t, m, "sh", "-c", `
		exec 2>/dev/null
		hop() { if [ $1 -lt 200 ]; then hop $(($1 + 1)) & fi; }
		read go
		for chain in 1 2 3 4; do hop 0 & done
		sleep 1000`)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	join(t, m, cmd)
	fmt.Fprintln(in, "go")
	for {
		if pids, err := m.Pids(); err != nil || len(pids) > 5 {
			break
		}
	}
	other := reopen(t, m)
	if err := other.KillAll(); err != nil {
		t.Fatal(err)
	}
	if err := other.Delete(); err != nil {
		t.Fatal(err)
	}
}

func TestKernelKillSignal(t *testing.T) {
	needView(t)
	m := newManager(t, specWith(t, nil))
	cmd := run(t, m, forever()...)
	if err := m.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := m.Kill(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(exit.String(), "terminated") {
		t.Errorf("got %v, want an end by SIGTERM", err)
	}
	if paused, err := m.Paused(); err != nil || paused {
		t.Errorf("got paused %v, %v", paused, err)
	}
}

func TestKernelKillPaused(t *testing.T) {
	needView(t)
	for _, all := range []bool{true, false} {
		t.Run(fmt.Sprintf("all=%v", all), func(t *testing.T) {
			m := newManager(t, specWith(t, nil))
			cmd := run(t, m, forever()...)
			if err := m.Freeze(); err != nil {
				t.Fatal(err)
			}
			kill := m.KillAll
			if !all {
				kill = func() error { return m.Kill(unix.SIGKILL) }
			}
			if err := kill(); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
				t.Errorf("got %v, want an end by SIGKILL", err)
			}
		})
	}
}

func TestKernelFreeze(t *testing.T) {
	needView(t)
	m := newManager(t, specWith(t, nil))
	cmd := start(t, m, "sh", "-c", "while echo; do :; done")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	join(t, m, cmd)
	if err := m.Freeze(); err != nil {
		t.Fatal(err)
	}
	if paused, err := m.Paused(); err != nil || !paused {
		t.Fatalf("got paused %v, %v", paused, err)
	}
	drainPipe(t, out)
	if more := drainPipe(t, out); more != 0 {
		t.Errorf("%d bytes were written while frozen", more)
	}
	if err := m.Thaw(); err != nil {
		t.Fatal(err)
	}
	if n, err := out.Read(make([]byte, 1)); n != 1 {
		t.Errorf("nothing is written after the thaw: %v", err)
	}
}

// drainPipe reads what is in a pipe, without waiting for more.
func drainPipe(t *testing.T, r io.Reader) int {
	t.Helper()
	f := r.(*os.File)
	_ = f.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	defer func() { _ = f.SetReadDeadline(time.Time{}) }()
	n, _ := io.Copy(io.Discard, f)
	return int(n)
}

func TestKernelNestedDelete(t *testing.T) {
	needView(t)
	m := newManager(t, specWith(t, nil))
	run(t, m, forever()...)
	// Processes in cgroups below, which are dying when Delete comes.
	for i := range 8 {
		cmd := exec.Command("sleep", "1000")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { _ = cmd.Wait() }()
		for _, dir := range m.saved.directories() {
			below := filepath.Join(dir, "a", strconv.Itoa(i))
			if err := os.MkdirAll(below, 0o755); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(dir, mountpoint+"/cpuset") {
				continue // needs its own values
			}
			if err := cgroups.WriteCgroupProc(below, cmd.Process.Pid); err != nil {
				t.Fatal(err)
			}
		}
	}
	if pids, err := m.Pids(); err != nil || len(pids) != 9 {
		t.Fatalf("got pids %v, %v", pids, err)
	}
	if err := m.KillAll(); err != nil {
		t.Fatal(err)
	}
	if err := m.Delete(); err != nil {
		t.Fatal(err)
	}
	if m.Exists() {
		t.Error("the cgroup exists after Delete")
	}
}

// Delete waits for a process that is killed while it waits.
func TestKernelDeleteWaits(t *testing.T) {
	needView(t)
	m := newManager(t, specWith(t, nil))
	cmd := run(t, m, forever()...)
	const delay = 60 * time.Millisecond
	began := time.Now()
	time.AfterFunc(delay, func() { _ = cmd.Process.Kill() })
	if err := m.Delete(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < delay || took > 10*delay {
		t.Errorf("took %v for a process that ends after %v", took, delay)
	}
}

func TestKernelDeleteGivesUp(t *testing.T) {
	needView(t)
	m := newManager(t, specWith(t, nil))
	cmd := run(t, m, forever()...)
	d := newDrain(30 * time.Millisecond)
	err := d.remove(m.saved.principal())
	want := fmt.Sprintf("device or resource busy [1 process(es) still run in it, one is %d]", cmd.Process.Pid)
	if err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}

func TestKernelRootIsSafe(t *testing.T) {
	needView(t)
	for _, dir := range everywhere(t, "/") {
		if !isRoot(dir) {
			t.Errorf("%s is not taken for a root", dir)
		}
		if _, err := pidsBelow(dir); !errors.Is(err, errRoot) {
			t.Errorf("pids of %s: got error %v", dir, err)
		}
		if err := newDrain(0).remove(dir); !errors.Is(err, errRoot) {
			t.Errorf("removing %s: got error %v", dir, err)
		}
	}
}

// Whatever a killed creator has made, what it has saved before suffices.
func TestKernelHalfMade(t *testing.T) {
	needView(t)
	spec := specWith(t, nil)
	whole := newManager(t, spec).saved.directories()
	for made := range len(whole) + 1 {
		t.Run(fmt.Sprintf("%d of %d directories", made, len(whole)), func(t *testing.T) {
			m, err := New(Options{ID: "test", Spec: spec})
			if err != nil {
				t.Fatal(err)
			}
			for _, dir := range whole[:made] {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			other := reopen(t, m)
			if err := other.KillAll(); err != nil {
				t.Error(err)
			}
			if err := other.Delete(); err != nil {
				t.Error(err)
			}
			if other.Exists() {
				t.Error("the cgroup exists after Delete")
			}
		})
	}
}

// The same with a creator that is really killed, at random moments.
func TestKernelKilledCreator(t *testing.T) {
	needView(t)
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	for i := range rounds {
		path := testPath(t, strconv.Itoa(i))
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), helperVar+"=create", "CGROUPS_PATH="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var saved Saved
		if err := json.NewDecoder(out).Decode(&saved); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * 100 * time.Microsecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		m, err := Open(saved)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.KillAll(); err != nil {
			t.Error(err)
		}
		if err := m.Delete(); err != nil {
			t.Error(err)
		}
		if m.Exists() {
			t.Error("the cgroup exists after Delete")
		}
	}
}

func TestKernelOOM(t *testing.T) {
	needView(t)
	needControllers(t, "memory")
	tests := []struct {
		name   string
		parent bool // the limit is the parent's
		swap   *int64
	}{
		{name: "own limit"},
		{name: "own limit of memory and swap together", swap: ptr(int64(16 << 20))},
		{name: "limit of the parent", parent: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			limit := &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(16 << 20)), Swap: test.swap}}
			if test.parent {
				limit = nil
			}
			spec := specWith(t, limit)
			m := newManager(t, spec)
			cmd := start(t, m, "/proc/self/exe")
			cmd.Env = append(cmd.Env, helperVar+"=eat")
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			join(t, m, cmd)
			if err := m.Limit(); err != nil {
				t.Fatal(err)
			}
			want := spec.Linux.CgroupsPath
			if test.parent {
				want = filepath.Dir(want)
				limitParent(t, m)
			}
			fmt.Fprintln(in, "go")
			if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
				t.Fatalf("got %v, want an end by SIGKILL", err)
			}
			kills, level, err := m.OOM()
			if err != nil || kills != 1 || level != want {
				t.Errorf("got %d kills by the limit of %s, %v; want 1 by that of %s", kills, level, err, want)
			}
		})
	}
}

// limitParent limits the memory of the parent of m's cgroup.
func limitParent(t *testing.T, m *Manager) {
	t.Helper()
	dir, file := m.Paths()["memory"], "memory.limit_in_bytes"
	if m.saved.Unified {
		dir, file = m.Paths()[""], "memory.max"
	}
	if err := writeFile(filepath.Join(filepath.Dir(dir), file), strconv.Itoa(16<<20)); err != nil {
		t.Fatal(err)
	}
}

func TestKernelNoOOM(t *testing.T) {
	needView(t)
	m := newManager(t, specWith(t, nil))
	run(t, m, forever()...)
	if kills, level, err := m.OOM(); kills != 0 || level != "" || err != nil {
		t.Errorf("got %d, %q, %v", kills, level, err)
	}
}

func TestKernelOwner(t *testing.T) {
	needView(t)
	spec := specWith(t, nil)
	spec.Mounts = []specs.Mount{{Source: "cgroup", Destination: "/sys/fs/cgroup", Type: "cgroup"}}
	spec.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.CgroupNamespace}, {Type: specs.UserNamespace}}
	spec.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
	spec.Process = &specs.Process{User: specs.User{UID: 7}}
	m := newManager(t, spec)
	run(t, m, forever()...)
	want := uint32(0)
	if m.saved.Unified {
		want = 100007
	}
	for file, want := range map[string]uint32{"": want, "cgroup.procs": want, "cgroup.type": 0} {
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(m.saved.principal(), file), &st); err != nil {
			if !m.saved.Unified {
				continue
			}
			t.Fatal(err)
		}
		if st.Uid != want {
			t.Errorf("%q is owned by %d, want %d", file, st.Uid, want)
		}
	}
}

// A failed Create leaves nothing, the parents that it made included.
func TestKernelCreateFails(t *testing.T) {
	needView(t)
	if !cgroups.IsCgroup2UnifiedMode() {
		t.Skip("Create makes nothing on this cgroup version")
	}
	spec := specWith(t, nil)
	parent := mountpoint + filepath.Dir(spec.Linux.CgroupsPath)
	if err := os.Mkdir(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(parent+"/cgroup.max.depth", "2"); err != nil {
		t.Fatal(err)
	}
	spec.Linux.CgroupsPath += "/deep/deeper"
	m := newManager(t, spec)
	want := "unable to apply cgroup configuration: mkdir " + mountpoint + spec.Linux.CgroupsPath + ": resource temporarily unavailable"
	if err := m.Create(); err == nil || err.Error() != want {
		t.Errorf("got error %v, want %s", err, want)
	}
	if below := cgroupsBelow(parent); len(below) > 0 {
		t.Errorf("cgroups are left: %q", below)
	}
}

// A user without rights on cgroups goes without one, but only where nobody has
// asked for one.
func TestKernelRootless(t *testing.T) {
	needView(t)
	place := testPath(t, "c")
	tests := []struct{ name, path, limit, want string }{
		{name: "nothing asked", want: "not joined; " + ErrRootless.Error()},
		{name: "a place", path: place, want: "unable to apply cgroup configuration: mkdir "},
		{name: "a limit", limit: "5", want: "rootless needs no limits + no cgrouppath when no permission is granted for cgroups [linux.resources.pids.limit is set]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), helperVar+"=rootless", "CGROUPS_PATH="+test.path, "LIMIT="+test.limit)
			cmd.SysProcAttr = &unix.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got := string(out); !strings.HasPrefix(got, test.want) || strings.Count(got, "\n") != 1 {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// helpRootless prints the error of making or joining a cgroup.
func helpRootless() int {
	spec := &specs.Spec{Linux: &specs.Linux{CgroupsPath: os.Getenv("CGROUPS_PATH"), Resources: &specs.LinuxResources{}}}
	if limit, err := strconv.ParseInt(os.Getenv("LIMIT"), 10, 64); err == nil {
		spec.Linux.Resources.Pids = &specs.LinuxPids{Limit: &limit}
	}
	m, err := New(Options{ID: "davit-test-rootless", Rootless: true, Spec: spec})
	if err != nil {
		fmt.Println(err)
		return 0
	}
	err = m.Create()
	switch m.Joins() {
	case JoinNone:
		fmt.Print("not joined; ")
	case JoinByAttach:
		err = m.Attach(os.Getpid())
	}
	fmt.Println(errText(err))
	for _, err := range []error{m.KillAll(), m.Delete()} {
		if err != nil {
			fmt.Println(err)
		}
	}
	return 0
}

// help is what the test binary does as a helper process.
func help(role string) int {
	switch role {
	case "create":
		return helpCreate()
	case "eat":
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		var kept [][]byte
		for range 256 {
			b := make([]byte, 1<<20)
			for i := range b {
				b[i] = 1
			}
			kept = append(kept, b)
		}
		return len(kept) / 256
	case "devices":
		return helpDevices()
	case "reach":
		return helpReach()
	case "rootless":
		return helpRootless()
	}
	return 2
}

// helpCreate makes a cgroup with a process in it, after saying what it saves.
func helpCreate() int {
	m, err := New(Options{ID: "x", Spec: &specs.Spec{Linux: &specs.Linux{CgroupsPath: os.Getenv("CGROUPS_PATH")}}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	text, _ := json.Marshal(m.Saved())
	os.Stdout.Write(text)
	_ = os.Stdout.Sync()
	if err := m.Create(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if dir, err := m.File(); err == nil && dir != nil {
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
		cmd.SysProcAttr.Pdeathsig = 0
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if m.Joins() != JoinByClone {
		_ = m.Attach(cmd.Process.Pid)
	}
	_ = m.Limit()
	_ = cmd.Wait()
	return 0
}

// Both ways to find the v1 hierarchies find the same.
func TestKernelLegacyPlaces(t *testing.T) {
	needView(t)
	if cgroups.IsCgroup2UnifiedMode() {
		t.Skip("not for this cgroup version")
	}
	own, err := cgroups.ParseCgroupFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for _, inner := range []string{"/a/b", "a/b"} {
		want, err := mountedPaths(inner, own)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := usualPaths(inner, own)
		if !ok {
			t.Skip("this machine mounts its hierarchies elsewhere")
		}
		for name, path := range got {
			// A controller's name may be a link to that of a joint mount.
			dir, _, _ := strings.Cut(strings.TrimPrefix(path, mountpoint+"/"), "/")
			if real, err := filepath.EvalSymlinks(filepath.Join(mountpoint, dir)); err == nil {
				got[name] = filepath.Join(real, strings.TrimPrefix(path, filepath.Join(mountpoint, dir)))
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: got  %v\nwant %v", inner, got, want)
		}
	}
}
