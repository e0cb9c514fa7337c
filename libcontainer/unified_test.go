package libcontainer

import (
	"os"
	"strings"
	"testing"

	"github.com/davit-containers/davit/conformance/needs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// needUnified skips a test where cgroup v2 has not these controllers.
func needUnified(t *testing.T, controllers ...string) {
	t.Helper()
	have, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	if err != nil {
		t.Skip("needs a pure cgroup v2 hierarchy")
	}
	for _, name := range controllers {
		if !strings.Contains(" "+strings.TrimSpace(string(have))+" ", " "+name+" ") {
			t.Skipf("needs the %s controller on cgroup v2", name)
		}
	}
}

// A container's first process may hand controllers on to cgroups below its own
// and move there: then its cgroup takes no processes any more, and an exec'd
// process comes into that of the first one.
//
// Linux: Documentation/admin-guide/cgroup-v2.rst, "No Internal Process Constraint".
func TestExecFallsBackToInitsCgroup(t *testing.T) {
	needUnified(t, "memory")
	forEachUserNS(t, func(b *box) {
		b.config.Linux.Namespaces = append(b.config.Linux.Namespaces, specs.LinuxNamespace{Type: specs.CgroupNamespace})
		b.writableCgroup()
		c := b.running()
		const script = `cd /sys/fs/cgroup && mkdir inner && echo 1 >inner/cgroup.procs &&
			echo $$ >inner/cgroup.procs && echo +memory >cgroup.subtree_control && cat /proc/1/cgroup`
		if got := b.execs(c, "sh", "-c", script); got != "0::/inner" {
			b.t.Fatalf("the first process is in %q", got)
		}
		if got := b.execs(c, "cat", "/proc/self/cgroup"); got != "0::/inner" {
			b.t.Errorf("the exec'd process is in %q", got)
		}
	})
}

// A container without a cgroup namespace sees the host's hierarchy, whose
// options stay as they are. runc#5258
func TestHierarchyKeepsItsOptions(t *testing.T) {
	needUnified(t)
	needs.InitialCgroups(t, "it changes the options of the hierarchy")
	before := hierarchyOptions(t)
	const option = "memory_recursiveprot"
	with := before
	if !strings.Contains(before, option) {
		with = strings.TrimPrefix(before+","+option, ",")
	}
	setHierarchyOptions(t, with)
	t.Cleanup(func() { setHierarchyOptions(t, before) })
	if !strings.Contains(hierarchyOptions(t), option) {
		t.Fatalf("the options of the hierarchy cannot be set: they are %q", hierarchyOptions(t))
	}
	for _, test := range []struct{ name, fstype, namespace string }{
		{"cgroup", "cgroup", ""},
		{"cgroup2", "cgroup2", ""},
		{"the host's namespace joined", "cgroup", "/proc/self/ns/cgroup"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBox(t)
			b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: "/cgroups", Type: test.fstype, Source: "cgroup", Options: []string{"ro"}})
			if test.namespace != "" {
				b.config.Linux.Namespaces = append(b.config.Linux.Namespaces, specs.LinuxNamespace{Type: specs.CgroupNamespace, Path: test.namespace})
			}
			b.must(os.Mkdir(b.rootfs("added"), 0o755))
			c := b.running()
			b.seesCgroups(c, "/cgroups")
			b.must(c.AddMounts([]specs.Mount{{Destination: "/added", Type: "cgroup2", Source: "cgroup", Options: []string{"ro"}}}))
			b.seesCgroups(c, "/added")
			if got := hierarchyOptions(t); !strings.Contains(got, option) {
				t.Errorf("with a container the hierarchy's options are %q, were %q", got, with)
			}
		})
	}
}

// seesCgroups fails unless the container has the host's cgroups in dir, and
// cannot write there.
func (b *box) seesCgroups(c *Container, dir string) {
	b.t.Helper()
	const script = `cat $0/cgroup.controllers >/dev/null && ls -d $0/cgroup.procs; mkdir $0/x 2>/dev/null || echo read-only`
	if got, want := b.execs(c, "sh", "-c", script, dir), dir+"/cgroup.procs\nread-only"; got != want {
		b.t.Errorf("in %s: %q, want %q", dir, got, want)
	}
}

// hierarchyOptions are those of cgroup v2, which all its mounts share.
func hierarchyOptions(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if _, file, ok := strings.Cut(strings.TrimSpace(line), " - cgroup2 "); ok {
			_, options, _ := strings.Cut(file, " ")
			_, options, _ = strings.Cut(options, ",")
			return options
		}
	}
	t.Fatal("cgroup v2 is not mounted")
	return ""
}

// setHierarchyOptions mounts the hierarchy once more, which is what sets them.
func setHierarchyOptions(t *testing.T, options string) {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("cgroup2", dir, "cgroup2", 0, options); err != nil {
		t.Fatalf("mounting cgroup2: %v", err)
	}
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
}

// writableCgroup lets the container write to its cgroups.
func (b *box) writableCgroup() {
	for i, m := range b.config.Mounts {
		if m.Type != "cgroup" {
			continue
		}
		options := []string{}
		for _, o := range m.Options {
			if o != "ro" {
				options = append(options, o)
			}
		}
		b.config.Mounts[i].Options = options
	}
}

// Who started the container learns which limit killed it.
func TestOutOfMemoryNamesTheLevel(t *testing.T) {
	b := newBox(t)
	if _, err := os.Stat("/sys/fs/cgroup/memory"); err != nil {
		needUnified(t, "memory")
	}
	limit := int64(4096)
	b.config.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit, Swap: &limit}}
	_, _, err := b.run("true")
	want := "it ran out of memory, the limit of cgroup "
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), b.config.Linux.CgroupsPath+" was hit") {
		t.Errorf("got %v, want %q and its cgroup", err, want)
	}
	if left := b.remains(); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}
