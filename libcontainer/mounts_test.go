package libcontainer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// outside makes a directory of the host with a file in it.
func (b *box) outside() string {
	b.t.Helper()
	b.config.Root.Readonly = false
	dir := filepath.Join(b.dir, "outside")
	b.must(os.MkdirAll(dir, 0o755))
	b.must(os.Chmod(dir, 0o755))
	b.must(os.WriteFile(filepath.Join(dir, "hello"), []byte("from the host"), 0o644))
	return dir
}

func bindOf(source, dest string, options ...string) specs.Mount {
	return specs.Mount{Type: "bind", Source: source, Destination: dest, Options: append([]string{"bind"}, options...)}
}

// mountinfo is the line of the container's mount table for a destination.
func (b *box) mountinfo(c *Container, dest string) string {
	b.t.Helper()
	for line := range strings.Lines(b.execs(c, "cat", "/proc/self/mountinfo")) {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == dest {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func TestAddMounts(t *testing.T) {
	forEachUserNS(t, func(b *box) {
		dir := b.outside()
		c := b.running()
		b.must(c.AddMounts([]specs.Mount{
			bindOf(dir, "/data/new"),
			bindOf(dir+"/hello", "/etc/hello", "ro"),
			{Type: "tmpfs", Source: "tmpfs", Destination: "/scratch", Options: []string{"size=64k", "nosuid"}},
			{Type: "tmpfs", Destination: "/still", Options: []string{"ro", "tmpcopyup"}},
			{Type: "proc", Source: "proc", Destination: "/newproc"},
		}))
		if got := b.execs(c, "cat", "/data/new/hello", "/etc/hello"); got != "from the hostfrom the host" {
			b.t.Errorf("got %q", got)
		}
		for dest, want := range map[string]string{"/etc/hello": " ro,", "/scratch": " - tmpfs tmpfs rw,size=64k", "/still": " ro,", "/newproc": " - proc "} {
			if got := b.mountinfo(c, dest); !strings.Contains(got, want) {
				b.t.Errorf("%s: want %q in %q", dest, want, got)
			}
		}
		if got := b.execs(c, "readlink", "/newproc/self/ns/pid"); got != b.execs(c, "readlink", "/proc/self/ns/pid") {
			b.t.Errorf("the new proc is of %s", got)
		}
		if got := b.execs(c, "stat", "-c", "%u:%g", "/data"); got != "0:0" {
			b.t.Errorf("a destination that was made belongs to %s", got)
		}
		b.must(c.RemoveMounts([]specs.Mount{{Destination: "/data/new"}, {Destination: "/etc/hello"}, {Destination: "/newproc"}}))
		if got := b.mountinfo(c, "/data/new") + b.mountinfo(c, "/etc/hello") + b.mountinfo(c, "/newproc"); got != "" {
			b.t.Errorf("still there: %s", got)
		}
	})
}

// What is mounted on the host afterwards comes along, but nothing that the
// container mounts goes back.
func TestAddedMountIsSlave(t *testing.T) {
	b := newBox(t)
	dir := b.outside()
	b.must(unix.Mount("shared", dir, "tmpfs", 0, "size=64k"))
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	b.must(unix.Mount("", dir, "", unix.MS_SHARED, ""))
	b.must(os.Mkdir(dir+"/sub", 0o755))
	b.config.Process.Capabilities.Bounding = append(b.config.Process.Capabilities.Bounding, "CAP_SYS_ADMIN")
	b.config.Process.Capabilities.Effective = append(b.config.Process.Capabilities.Effective, "CAP_SYS_ADMIN")
	b.config.Process.Capabilities.Permitted = append(b.config.Process.Capabilities.Permitted, "CAP_SYS_ADMIN")
	c := b.running()
	b.must(c.AddMounts([]specs.Mount{bindOf(dir, "/data")}))
	b.execs(c, "mount", "-t", "tmpfs", "inner", "/data/sub")
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	b.must(err)
	if strings.Contains(string(mounts), dir+"/sub") {
		t.Error("a mount of the container came to the host")
	}
	b.must(unix.Unmount(dir, unix.MNT_DETACH))
}

// A destination that is a symbolic link, absolute or climbing, stays in the
// container's root. CVE-2021-30465, CVE-2023-27561.
func TestAddMountsHostileLink(t *testing.T) {
	forEachUserNS(t, func(b *box) {
		dir := b.outside()
		victim := filepath.Join(b.dir, "victim")
		b.must(os.Mkdir(victim, 0o777))
		b.must(os.Chmod(victim, 0o777))
		b.must(os.Symlink(victim, b.rootfs("absolute")))
		b.must(os.Symlink("../../../../../../../.."+victim, b.rootfs("climbing")))
		b.must(os.Symlink("/proc/sys", b.rootfs("below")))
		c := b.running()
		b.must(c.AddMounts([]specs.Mount{bindOf(dir, "/absolute/new"), bindOf(dir, "/climbing/new")}))
		if entries, err := os.ReadDir(victim); len(entries) != 0 || err != nil {
			b.t.Errorf("the host has %v, %v", entries, err)
		}
		if got := b.execs(c, "cat", victim+"/new/hello"); got != "from the host" {
			b.t.Errorf("in the container: %q", got)
		}
		err := c.AddMounts([]specs.Mount{bindOf(dir, "/below/kernel")})
		if err == nil || !strings.Contains(err.Error(), "inside /proc") {
			b.t.Errorf("upon proc: %v", err)
		}
	})
}

// A link must not choose what is uncovered, such as a masked path.
func TestRemoveMountsHostileLink(t *testing.T) {
	forEachUserNS(t, func(b *box) {
		b.config.Linux.MaskedPaths = []string{"/proc/timer_list"}
		b.must(os.Symlink("/proc", b.rootfs("data")))
		c := b.running()
		masked := b.mountinfo(c, "/proc/timer_list")
		err := c.RemoveMounts([]specs.Mount{{Destination: "/data/timer_list"}})
		if !errors.Is(err, unix.ELOOP) {
			b.t.Errorf("got %v", err)
		}
		if masked == "" || b.mountinfo(c, "/proc/timer_list") != masked {
			b.t.Errorf("the mask is gone: %q", masked)
		}
	})
}

func TestMountsErrors(t *testing.T) {
	b := newBox(t)
	dir := b.outside()
	c := b.running()
	for _, test := range []struct {
		name, want string
		change     func() error
	}{
		{"no source", "mounting /nowhere at /data: no such file or directory", func() error {
			return c.AddMounts([]specs.Mount{bindOf("/nowhere", "/data")})
		}},
		{"the second of two", "mounting /nowhere at /data: no such file or directory [the mount before it is done]", func() error {
			return c.AddMounts([]specs.Mount{bindOf(dir, "/first"), bindOf("/nowhere", "/data")})
		}},
		{"unknown file system", "mounting nofs at /data: no such device [the kernel does not know this type of file system]", func() error {
			return c.AddMounts([]specs.Mount{{Type: "nofs", Destination: "/data"}})
		}},
		{"no type", "mounts.json: mounts[0].type: must be given for a mount that is not a bind mount (config.md#mounts)", func() error {
			return c.AddMounts([]specs.Mount{{Destination: "/data"}})
		}},
		{"below proc", `mounts.json: mounts: /proc/self: "/proc/self" cannot be mounted because it is inside /proc (config.md#mounts)`, func() error {
			return c.AddMounts([]specs.Mount{bindOf(dir, "/proc/self")})
		}},
		{"nothing there", "unmounting /bin: nothing is mounted there: invalid argument", func() error {
			return c.RemoveMounts([]specs.Mount{{Destination: "/bin"}})
		}},
		{"missing", "unmounting /nowhere: no such file or directory", func() error {
			return c.RemoveMounts([]specs.Mount{{Destination: "/nowhere"}})
		}},
		{"the root", "unmounting /: it is the root file system: device or resource busy", func() error {
			return c.RemoveMounts([]specs.Mount{{Destination: "/"}})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.change(); err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// A container that waits for start, or is paused, has mounts; one that has
// stopped has none.
func TestMountsStatus(t *testing.T) {
	b := newBox(t)
	dir := b.outside()
	b.config.Process.Args = []string{"sleep", "1000"}
	bundle, err := b.load()
	b.must(err)
	c, err := b.runtime.Create("box", bundle, CreateOptions{})
	b.must(err)
	defer c.Destroy()
	b.must(c.AddMounts([]specs.Mount{bindOf(dir, "/created")}))
	b.must(c.Start())
	if got := b.execs(c, "cat", "/created/hello"); got != "from the host" {
		t.Errorf("got %q", got)
	}
	b.must(c.Signal(unix.SIGKILL))
	_, err = c.Wait()
	b.must(err)
	for _, change := range []func([]specs.Mount) error{c.AddMounts, c.RemoveMounts} {
		if err := change([]specs.Mount{bindOf(dir, "/created")}); !errors.Is(err, ErrNotRunning) {
			t.Errorf("stopped: %v", err)
		}
	}
}

func TestMountsNeedMountNamespace(t *testing.T) {
	b := newBox(t)
	b.config.Mounts, b.config.Linux.MaskedPaths, b.config.Linux.ReadonlyPaths, b.config.Hostname = nil, nil, nil, ""
	b.config.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.PIDNamespace}}
	dir := b.outside()
	c := b.running()
	err := c.AddMounts([]specs.Mount{bindOf(dir, "/data")})
	if err == nil || !strings.Contains(err.Error(), "no mount namespace of its own") {
		t.Errorf("got %v", err)
	}
}
