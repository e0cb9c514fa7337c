package cgroup

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/cgroups"
)

// update makes a change of the limits old in the cgroup of m.
func update(t *testing.T, m *Manager, old, change string) (*Update, error) {
	t.Helper()
	u, err := m.PrepareUpdate(parse(t, old), parse(t, change))
	if err != nil {
		return nil, err
	}
	return u, u.Apply()
}

func TestDifference(t *testing.T) {
	tests := []struct{ name, file, text, now, want string }{
		{"one value", "memory.max", "1024\n", "max\n", "1024"},
		{"two values", "cpu.max", "5 10\n", "6 10\n", "5 10"},
		{"empty", "cpuset.cpus", "\n", "0\n", ""},
		{"a line more", "io.max", "", "8:0 rbps=1 wbps=max riops=max wiops=max\n", "8:0 rbps=max wbps=max riops=max wiops=max|"},
		{"another line", "blkio.throttle.read_bps_device", "8:0 5\n8:16 6\n", "8:0 5\n8:16 7\n", "8:16 6"},
		{"a line less", "blkio.throttle.read_bps_device", "8:0 5\n", "", "8:0 5"},
		{"out of memory", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n", "oom_kill_disable 1\nunder_oom 0\n", "0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(difference(tt.file, tt.text, tt.now), "|"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestUpdateWithoutCgroup(t *testing.T) {
	m, err := Open(Saved{Driver: Disabled})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := update(t, m, `{}`, `{"pids":{"limit":1}}`); err == nil || !strings.Contains(err.Error(), "no cgroup") {
		t.Errorf("got %v", err)
	}
}

func TestKernelUpdateLegacy(t *testing.T) {
	needView(t)
	if cgroups.IsCgroup2UnifiedMode() {
		t.Skip("needs cgroup v1; TestKernelUpdateUnified is for v2")
	}
	needControllers(t, "memory", "pids", "cpu")
	old := `{"memory":{"limit":33554432},"cpu":{"shares":100,"quota":50000,"period":100000},"pids":{"limit":20}}`
	m := newManager(t, specWith(t, parse(t, old)))
	run(t, m, "sleep", "1000")
	expect := func(file, want string) {
		t.Helper()
		controller, _, _ := strings.Cut(file, ".")
		if got := content(t, m, controller, file); got != want {
			t.Errorf("%s: got %s, want %s", file, got, want)
		}
	}
	if _, err := update(t, m, old, `{"memory":{"limit":67108864},"cpu":{"period":90000},"pids":{"limit":30}}`); err != nil {
		t.Fatal(err)
	}
	expect("memory.limit_in_bytes", "67108864")
	expect("cpu.cfs_period_us", "90000")
	expect("cpu.cfs_quota_us", "50000")
	expect("cpu.shares", "100")
	expect("pids.max", "30")

	// The kernel refuses such a period after memory and CPU weight have been written.
	_, err := update(t, m, old, `{"memory":{"limit":50331648},"cpu":{"shares":200,"period":10},"pids":{"limit":40}}`)
	if err == nil || !strings.Contains(err.Error(), "[linux.resources.cpu.") || !strings.Contains(err.Error(), "invalid argument") {
		t.Errorf("got %v", err)
	}
	expect("memory.limit_in_bytes", "67108864")
	expect("cpu.cfs_period_us", "90000")
	expect("cpu.cfs_quota_us", "50000")
	expect("cpu.shares", "100")
	expect("pids.max", "30")

	for _, disable := range []string{"1", "0"} {
		change := `{"memory":{"disableOOMKiller":` + map[string]string{"1": "true", "0": "false"}[disable] + `}}`
		if _, err := update(t, m, old, change); err != nil {
			t.Fatal(err)
		}
		if got := lookup(content(t, m, "memory", "memory.oom_control"), "oom_kill_disable"); got != disable {
			t.Errorf("oom_kill_disable: got %s, want %s", got, disable)
		}
	}

	if _, err := update(t, m, old, `{"unified":{"memory.high":"1"}}`); err == nil || !strings.Contains(err.Error(), "unified") {
		t.Errorf("unified: got %v", err)
	}
}

// Of idle and a weight, a cgroup has one.
func TestKernelUpdateIdle(t *testing.T) {
	needView(t)
	needControllers(t, "cpu")
	weight := map[bool]string{true: "cpu.weight", false: "cpu.shares"}[cgroups.IsCgroup2UnifiedMode()]
	old := `{"cpu":{"shares":512}}`
	m := newManager(t, specWith(t, parse(t, old)))
	run(t, m, "sleep", "1000")
	before := content(t, m, "cpu", weight)
	steps := []struct{ name, change, idle, warning string }{
		{"idle", `{"cpu":{"idle":1}}`, "1", ""},
		{"unrelated", `{"cpu":{"period":50000}}`, "1", ""},
		{"both", `{"cpu":{"idle":1,"shares":300}}`, "1", "unable to apply both"},
		{"not idle, old weight", `{"cpu":{"idle":0}}`, "0", ""},
		{"idle again", `{"cpu":{"idle":1}}`, "1", ""},
		{"weight ends it", `{"cpu":{"shares":512}}`, "0", ""},
	}
	for _, s := range steps {
		u, err := update(t, m, old, s.change)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if got := content(t, m, "cpu", "cpu.idle"); got != s.idle {
			t.Errorf("%s: idle is %s", s.name, got)
		}
		if got := content(t, m, "cpu", weight); s.idle == "0" && got != before {
			t.Errorf("%s: weight is %s, was %s", s.name, got, before)
		}
		if got := strings.Join(u.Warnings(), "; "); !strings.Contains(got, s.warning) || s.warning == "" && got != "" {
			t.Errorf("%s: warnings %q", s.name, got)
		}
	}
}

func TestKernelUnthrottle(t *testing.T) {
	needView(t)
	needControllers(t, "cpu")
	file, want := "cpu.cfs_quota_us", "-1"
	if cgroups.IsCgroup2UnifiedMode() {
		file, want = "cpu.max", "max 100000"
	}
	m := newManager(t, specWith(t, parse(t, `{"cpu":{"quota":5000,"period":100000}}`)))
	run(t, m, "sleep", "1000")
	if got := content(t, m, "cpu", file); got == want {
		t.Fatalf("%s: %s at first", file, got)
	}
	m.Unthrottle()
	if got := content(t, m, "cpu", file); got != want {
		t.Errorf("%s: got %s, want %s", file, got, want)
	}
}

func TestKernelUpdateUnified(t *testing.T) {
	needView(t)
	if !cgroups.IsCgroup2UnifiedMode() {
		t.Skip("needs cgroup v2; TestKernelUpdateLegacy is for v1")
	}
	old := `{"unified":{"cgroup.max.depth":"5"}}`
	m := newManager(t, specWith(t, parse(t, old)))
	run(t, m, "sleep", "1000")
	u, err := update(t, m, old, `{"unified":{"cgroup.max.depth":"6","cgroup.max.descendants":"7"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := u.Resources().Unified["cgroup.max.depth"]; got != "6" {
		t.Errorf("recorded: %s", got)
	}
	if got := content(t, m, "", "cgroup.max.depth"); got != "6" {
		t.Errorf("depth is %s", got)
	}
	// The order in which they are written is not known: each round may be another.
	for range 8 {
		_, err = update(t, m, old, `{"unified":{"cgroup.max.depth":"8","cgroup.max.descendants":"9","nothing.max":"1"}}`)
		if err == nil || !strings.Contains(err.Error(), "nothing.max") {
			t.Fatalf("got %v", err)
		}
		if depth, descendants := content(t, m, "", "cgroup.max.depth"), content(t, m, "", "cgroup.max.descendants"); depth != "6" || descendants != "7" {
			t.Errorf("not set back: %s, %s", depth, descendants)
		}
	}
}

func TestKernelUpdateBlockIO(t *testing.T) {
	needView(t)
	needControllers(t, map[bool]string{true: "io", false: "blkio"}[cgroups.IsCgroup2UnifiedMode()])
	files, err := filepath.Glob("/sys/block/*/dev")
	if err != nil || len(files) == 0 {
		t.Skip("needs a block device")
	}
	number, err := readFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	major, minor, _ := strings.Cut(strings.TrimSpace(number), ":")
	limit := func(rate string) string {
		return `{"blockIO":{"throttleReadBpsDevice":[{"major":` + major + `,"minor":` + minor + `,"rate":` + rate + `}]}}`
	}
	m := newManager(t, specWith(t, nil))
	run(t, m, "sleep", "1000")
	before := takeSnapshot(m.saved, &cgroups.Resources{})
	u, err := update(t, m, `{}`, limit("1048576"))
	if err != nil {
		t.Fatal(err)
	}
	if u, err = update(t, m, `{}`, limit("2097152")); err != nil || len(u.Resources().BlockIO.ThrottleReadBpsDevice) != 1 {
		t.Fatalf("got %+v, %v", u.Resources().BlockIO, err)
	}
	changed := takeSnapshot(m.saved, &cgroups.Resources{})
	if !slices.ContainsFunc(slices.Collect(maps.Values(changed)), func(text string) bool { return strings.Contains(text, "2097152") }) {
		t.Errorf("no limit in %v", changed)
	}
	if err := before.restore(); err != nil {
		t.Fatal(err)
	}
	for path, text := range takeSnapshot(m.saved, &cgroups.Resources{}) {
		if text != before[path] {
			t.Errorf("%s is %q, was %q", path, text, before[path])
		}
	}
}
