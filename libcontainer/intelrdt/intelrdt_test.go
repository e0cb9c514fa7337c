package intelrdt

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// resctrl makes a tree that looks like a mounted resctrl, with the class "gold".
func resctrl(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range map[string]string{
		"info/last_cmd_status":     "ok\n",
		"info/MB/bandwidth_gran":   "10\n",
		"schemata":                 "    L3:0=7ff;1=7ff\n    MB:0=100;1=100\n",
		"tasks":                    "1\n",
		"gold/schemata":            "    L3:0=7f0;1=01f\n    MB:0= 20;1= 70\n",
		"gold/tasks":               "",
		"gold/mon_groups/x/tasks":  "",
		"gold/mon_groups/x2/tasks": "",
	} {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestUnsupported(t *testing.T) {
	_, err := Prepare("", "box", &specs.LinuxIntelRdt{})
	const want = "intelRdt: resctrl is not mounted at /sys/fs/resctrl [needs a CPU with RDT and CONFIG_X86_CPU_RESCTRL]"
	if err == nil || err.Error() != want || !errors.As(err, new(*sys.UnsupportedError)) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestPrepare(t *testing.T) {
	const other = `intelRdt: class gold exists with other schemata than `
	tests := []struct {
		name     string
		c        specs.LinuxIntelRdt
		clos     string
		mon      string
		owned    bool
		err      string
		existing bool // a class of the container's id
	}{
		{name: "own class", clos: "box", owned: true},
		{name: "own class that exists", existing: true, clos: "box"},
		{name: "own class, monitored", c: specs.LinuxIntelRdt{EnableMonitoring: true}, clos: "box", mon: "box/mon_groups/box", owned: true},
		{name: "default class", c: specs.LinuxIntelRdt{ClosID: "/", EnableMonitoring: true}, clos: ".", mon: "mon_groups/box"},
		{name: "named class", c: specs.LinuxIntelRdt{ClosID: "gold"}, clos: "gold"},
		{name: "the schemata it has", c: specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:1=1f;0=7f0", MemBwSchema: "MB:0=20"}, clos: "gold"},
		{name: "what the kernel rounds up", c: specs.LinuxIntelRdt{ClosID: "gold", MemBwSchema: "MB:0=11;1=70"}, clos: "gold"},
		{name: "zeros and 0x", c: specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=0x07f0"}, clos: "gold"},
		{name: "a named class to make", c: specs.LinuxIntelRdt{ClosID: "new", MemBwSchema: "MB:0=20"}, clos: "new"},
		{name: "schemata are not compared", c: specs.LinuxIntelRdt{ClosID: "gold", Schemata: []string{"L2:0=f"}}, clos: "gold"},

		{name: "another mask", c: specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=7f1"}, err: other + `"L3:0=7f1"`},
		{name: "another bandwidth", c: specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=7f0", MemBwSchema: "MB:0=30"}, err: other + `"L3:0=7f0 MB:0=30"`},
		{name: "another cache", c: specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:2=7f0"}, err: other + `"L3:2=7f0"`},
		{name: "missing class", c: specs.LinuxIntelRdt{ClosID: "none"}, err: "intelRdt: class none: no such file or directory [it must be made beforehand, or have a schema]"},
		{name: "resctrl's own directory", c: specs.LinuxIntelRdt{ClosID: "info"}, err: "intelRdt: ROOT/info is a directory of resctrl itself"},
		{name: "a path", c: specs.LinuxIntelRdt{ClosID: "gold/mon_groups"}, err: "intelRdt: ROOT/gold/mon_groups is no directory of a class"},
		{name: "climbing", c: specs.LinuxIntelRdt{ClosID: ".."}, err: "intelRdt: PARENT is no directory of a class"},
		{name: "climbing far", c: specs.LinuxIntelRdt{ClosID: "../.."}, err: "intelRdt: GRANDPARENT is no directory of a class"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := resctrl(t)
			if tt.existing {
				if err := os.Mkdir(filepath.Join(root, "box"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			g, err := Prepare(root, "box", &tt.c)
			if tt.err != "" {
				want := strings.NewReplacer("GRANDPARENT", filepath.Dir(filepath.Dir(root)), "PARENT", filepath.Dir(root), "ROOT", root).Replace(tt.err)
				if err == nil || err.Error() != want {
					t.Errorf("got %v, want %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := Group{Root: root, Clos: filepath.Join(root, tt.clos), Owned: tt.owned}
			if tt.mon != "" {
				want.Mon = filepath.Join(root, tt.mon)
			}
			if *g != want {
				t.Errorf("got %+v, want %+v", *g, want)
			}
			if entries, _ := os.ReadDir(root); len(entries) != 4+map[bool]int{true: 1}[tt.existing] {
				t.Errorf("something was made: %v", entries)
			}
		})
	}
}

func TestLifeOfAGroup(t *testing.T) {
	root := resctrl(t)
	c := &specs.LinuxIntelRdt{
		L3CacheSchema: "L3:0=7f0", MemBwSchema: "MB:0=20", Schemata: []string{"L2:0=f", "L3:1=1"}, EnableMonitoring: true,
	}
	g, err := Prepare(root, "box", c)
	if err != nil {
		t.Fatal(err)
	}
	mon := fakeMonGroups(t, root, "box")
	if err := g.Apply(c, 4711); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, root, "box", "schemata"), "L3:0=7f0\nMB:0=20\nL2:0=f\nL3:1=1\n"; got != want {
		t.Errorf("schemata: got %q, want %q", got, want)
	}
	for _, dir := range []string{filepath.Join(root, "box"), mon} {
		if got := read(t, dir, "tasks"); got != "4711" {
			t.Errorf("tasks of %s: got %q", dir, got)
		}
	}
	data, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(data)
	if err != nil || *again != *g {
		t.Fatalf("got %+v, %v, want %+v", again, err, g)
	}
	if g.Owned {
		t.Error("a class that was there before goes with the container")
	}
	os.Remove(filepath.Join(mon, "tasks")) // as the kernel does
	for range 2 {
		if err := again.Remove(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(mon); !errors.Is(err, unix.ENOENT) {
		t.Errorf("the monitoring group is still there: %v", err)
	}
}

// fakeMonGroups makes what the kernel makes in a new class.
func fakeMonGroups(t *testing.T, root, class string) (mon string) {
	t.Helper()
	dir := filepath.Join(root, class, "mon_groups")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, class)
}

func TestOwnedClassIsRemoved(t *testing.T) {
	root := resctrl(t)
	c := &specs.LinuxIntelRdt{}
	g, err := Prepare(root, "box", c)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Apply(c, 1); err != nil || !g.Owned {
		t.Fatalf("got %v, %v", g, err)
	}
	if _, err := os.Stat(filepath.Join(root, "box", "schemata")); !errors.Is(err, unix.ENOENT) {
		t.Errorf("schemata were written: %v", err)
	}
	os.Remove(filepath.Join(root, "box", "tasks")) // as the kernel does
	if err := g.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "box")); !errors.Is(err, unix.ENOENT) {
		t.Errorf("the class is still there: %v", err)
	}
}

func TestNamedClassStays(t *testing.T) {
	for _, clos := range []string{"gold", "new", "/"} {
		root := resctrl(t)
		c := &specs.LinuxIntelRdt{ClosID: clos, Schemata: []string{"MB:0=20"}}
		g, err := Prepare(root, "box", c)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(g.Apply(c, 5), g.Remove()); err != nil {
			t.Fatal(err)
		}
		if got := read(t, root, clos, "tasks"); got != "5" {
			t.Errorf("%s: tasks: got %q", clos, got)
		}
	}
}

func TestKernelRefuses(t *testing.T) {
	root := resctrl(t)
	if err := os.WriteFile(filepath.Join(root, "info", "last_cmd_status"), []byte("Mask out of range\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	g := &Group{Root: root, Clos: filepath.Join(root, "none", "box")}
	err := g.Apply(&specs.LinuxIntelRdt{}, 1)
	if want := "intelRdt: making the class " + g.Clos + ": no such file or directory [Mask out of range]"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	err = g.Set(&specs.LinuxIntelRdt{L3CacheSchema: "L3:0=fffff"})
	if want := `intelRdt: writing the schemata "L3:0=fffff\n": no such file or directory [Mask out of range]`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
