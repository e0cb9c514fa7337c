package security

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// uses are the ways in which a configuration makes a runtime work on paths
// below /vol, which an attacker owns.
var uses = []struct {
	name   string
	native bool // not in a user namespace
	set    func(s *specs.Spec)
}{
	{"mount", false, func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/vol/sub", Type: "tmpfs", Source: "attack"})
	}},
	{"mount on what is missing", false, func(s *specs.Spec) {
		for i := range 8 {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: fmt.Sprintf("/vol/new%d/sub", i), Type: "tmpfs", Source: "attack"})
		}
	}},
	{"bind of a directory", false, func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/vol/sub", Type: "bind", Source: "/usr", Options: []string{"rbind", "ro"}})
	}},
	{"bind of a file", false, func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/vol/file", Type: "bind", Source: "/etc/passwd", Options: []string{"bind"}},
			specs.Mount{Destination: "/vol/new", Type: "bind", Source: "/etc/passwd", Options: []string{"bind"}})
	}},
	{"copy into a tmpfs", false, func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/vol", Type: "tmpfs", Source: "attack", Options: []string{"tmpcopyup"}})
	}},
	{"cgroups", false, func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/vol/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"ro"}})
	}},
	{"remount", false, func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/vol/sub", Type: "tmpfs", Source: "attack"},
			specs.Mount{Destination: "/vol/sub", Options: []string{"remount", "ro"}})
	}},
	{"device", true, func(s *specs.Spec) {
		for i := range 8 {
			s.Linux.Devices = append(s.Linux.Devices, specs.LinuxDevice{Path: fmt.Sprintf("/vol/dev%d", i), Type: "c", Major: 1, Minor: 3, UID: new(uint32(7))})
		}
	}},
	{"working directory", false, func(s *specs.Spec) { s.Process.Cwd = "/vol/sub/made/here" }},
	{"masked path", false, func(s *specs.Spec) {
		s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, "/vol/file", "/vol/sub")
	}},
	{"read-only path", false, func(s *specs.Spec) {
		s.Linux.ReadonlyPaths = append(s.Linux.ReadonlyPaths, "/vol/file", "/vol/sub")
	}},
}

// mountsOnHost has a hook write down what the container's mount namespace
// holds while the host is still part of it, and gives what lies outside the
// root file system.
func (b *bundle) mountsOnHost(create func()) (outside []string) {
	b.Helper()
	seen := filepath.Join(b.dir, "seen")
	b.must(os.WriteFile(seen, nil, 0o666))
	b.must(os.Chmod(seen, 0o666))
	b.config.Hooks = &specs.Hooks{CreateContainer: []specs.Hook{{
		Path: "/bin/busybox", Args: []string{"sh", "-c", "busybox cat /proc/self/mountinfo > " + seen}, Env: []string{"PATH=/bin"},
	}}}
	create()
	data, err := os.ReadFile(seen)
	b.must(err)
	for _, m := range parseMounts(string(data)) {
		known := fmt.Sprintf("%s %s %s on %s", m.fstype, m.source, m.root, m.point)
		if !within(m.point, b.root("")) && !slices.Contains(b.before.mounts, known) {
			outside = append(outside, known)
		}
	}
	return outside
}

func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// The image's directory is a link that leads to the host, in the ways that
// there are to write one. CVE-2019-18837, CVE-2021-30465, CVE-2024-45310,
// CVE-2024-5154, CVE-2026-41579 (GHSA-xjvp-4fhw-gc47), CVE-2026-47766,
// CVE-2026-55686.
func TestLinkedDirectory(t *testing.T) {
	for _, spelling := range []string{"CANARY", "../../../../../../../../../../..CANARY", "etc/link", "/proc/1/rootCANARY", "/proc/self/cwd/../../../../../..CANARY"} {
		for _, use := range uses {
			t.Run(use.name+" by "+spelling, func(t *testing.T) {
				b := newBundle(t)
				c := b.canary()
				b.link("etc/link", "../../../../../../../../../.."+c.dir)
				b.link("vol", strings.ReplaceAll(spelling, "CANARY", c.dir))
				use.set(b.config)
				if outside := b.mountsOnHost(func() { b.create() }); len(outside) > 0 {
					t.Errorf("mounted on the host: %q", outside)
				}
			})
		}
	}
}

// The image's directory becomes a link to the host and a directory again, over
// and over. CVE-2021-30465 (GHSA-c3xm-pvg7-gh7r), CVE-2024-45310
// (GHSA-jfvp-7x6p-h2pv), CVE-2026-41579.
func TestExchangedDirectory(t *testing.T) {
	eachKind(t, func(b *bundle) {
		for first := 0; first < 3; first++ { // every third of the uses at once
			b.Run(fmt.Sprint("uses ", first), func(t *testing.T) {
				b := b.sibling(t)
				c := b.canary()
				b.must(os.MkdirAll(b.root("vol/sub"), 0o755))
				b.file("vol/file", "of the image", 0o644)
				b.link("evil", c.dir)
				for i := first; i < len(uses); i += 3 {
					if !uses[i].native || !b.hasUserNamespace() {
						uses[i].set(b.config)
					}
				}
				b.race(b.root("vol"), b.root("evil"), func(pid int) {
					if f, err := inContainer(pid, "/vol/sub/file", unix.O_RDONLY); err == nil {
						t.Errorf("the host's %s is in the container", f.Name())
						f.Close()
					}
				})
			})
		}
	})
}

// sibling is another bundle of the same kind, for a subtest.
func (b *bundle) sibling(t *testing.T) *bundle {
	t.Helper()
	s := newBundle(t)
	if b.hasUserNamespace() {
		s.userNamespace()
	}
	return s
}

// race makes containers while two names are exchanged, and has each judged
// that comes about. Nothing may be mounted on the host.
func (b *bundle) race(one, other string, judge func(pid int)) {
	b.Helper()
	b.write() // the owners, before the names move
	a := b.attack("attack-exchange", one, other)
	made := 0
	for range *rounds {
		outside := b.mountsOnHost(func() {
			if pid := b.createAgain(); pid != 0 {
				made++
				judge(pid)
			}
		})
		if len(outside) > 0 {
			b.Errorf("mounted on the host: %q", outside)
		}
		b.remove()
		b.forget(one, other)
	}
	a.stop()
	b.Logf("%d of %d containers came about, %s exchanges", made, *rounds, strings.TrimSpace(a.out.String()))
}

// forget removes what a round has made below two names, so that the next one
// has to make it again.
func (b *bundle) forget(names ...string) {
	for _, name := range names {
		made, _ := filepath.Glob(name + "/new*")
		for _, path := range made {
			os.RemoveAll(path)
		}
	}
}

// createAgain is create, when the owners of files are right already.
func (b *bundle) createAgain() int {
	b.Helper()
	b.writeConfig()
	if r := b.call("create", "--bundle", b.dir, b.id); r.failed() {
		return 0
	}
	return b.pid()
}

// /proc and /sys of the image are links. CVE-2019-19921, CVE-2023-27561,
// CVE-2023-28642 (GHSA-g2j6-57v7-gm8c), CVE-2025-54867.
func TestLinkedProc(t *testing.T) {
	eachKind(t, func(b *bundle) {
		for name, target := range map[string]string{"proc": "/tmp", "sys": "..", "sys/": "tmp"} {
			for _, target := range []string{target, "../../../../../.." + b.dir, "/nowhere"} {
				b.Run(name+" to "+target, func(t *testing.T) {
					b := b.sibling(t)
					b.link(strings.TrimSuffix(name, "/"), target)
					pid, _ := b.create()
					if pid == 0 {
						return
					}
					all := b.mountsOf(fmt.Sprint(pid))
					b.confined(all)
					for _, m := range all {
						if want := map[string]string{"proc": "/proc", "sysfs": "/sys"}[m.fstype]; m.root == "/" && want != "" && m.point != want {
							t.Errorf("%s is mounted at %s, where the image's link leads", m.fstype, m.point)
						}
					}
				})
			}
		}
	})
}

// /proc and /sys are exchanged with links and directories of the attacker's.
func TestExchangedProc(t *testing.T) {
	eachKind(t, func(b *bundle) {
		for _, name := range []string{"proc", "sys"} {
			for _, target := range []string{"tmp", "directory"} {
				b.Run(name+" with "+target, func(t *testing.T) {
					b := b.sibling(t)
					b.must(os.MkdirAll(b.root("tmp/self/attr"), 0o777))
					b.link("evil", target)
					if target == "directory" {
						b.must(os.Remove(b.root("evil")))
						b.must(os.MkdirAll(b.root("evil/firmware"), 0o755))
						b.must(os.MkdirAll(b.root("evil/sys/kernel"), 0o755))
						b.file("evil/sys/kernel/shmmax", "untouched", 0o666)
					}
					b.config.Linux.Sysctl = map[string]string{"kernel.shmmax": "4321"}
					b.race(b.root(name), b.root("evil"), func(pid int) { b.confined(b.mountsOf(fmt.Sprint(pid))) })
					for _, dir := range []string{name, "evil"} {
						if data, err := os.ReadFile(b.root(dir + "/sys/kernel/shmmax")); err == nil && string(data) != "untouched" {
							t.Errorf("a sysctl was written to the attacker's file: %q", data)
						}
					}
				})
			}
		}
	})
}

// confined reports which of the masks that every container has are not on its
// one procfs and its sysfs.
func (b *bundle) confined(all []mount) {
	b.Helper()
	for fstype, wants := range map[string][]string{
		"proc":  {"/kcore", "/keys", "/timer_list", "/sys", "/sysrq-trigger"},
		"sysfs": {"/firmware"},
	} {
		for _, want := range wants {
			if _, err := os.Stat("/" + strings.TrimSuffix(fstype, "fs") + want); err == nil && !covered(all, fstype, want) {
				b.Errorf("%s of the container's %s is not covered", want, fstype)
			}
		}
	}
}

// covered tells whether something lies over a file of a whole file system.
func covered(all []mount, fstype, name string) bool {
	for _, base := range all {
		if base.fstype != fstype || base.root != "/" {
			continue
		}
		for _, m := range all {
			if m.parent == base.id && strings.HasSuffix(m.point, name) { // the mount point's name may change while it is read
				return true
			}
		}
	}
	return false
}

// What the runtime itself writes goes through no link of the image's.
// CVE-2025-24965 (GHSA-f42g-r5jj-qh4j): a file written into the root file
// system on the host; CVE-2025-9566.
func TestFilesOfTheRuntime(t *testing.T) {
	eachKind(t, func(b *bundle) {
		c := b.canary()
		for _, name := range []string{"run", "etc/passwd", "etc/hostname", ".krun_config.json", ".dockerenv", "var"} {
			b.must(os.MkdirAll(filepath.Dir(b.root(name)), 0o755))
			b.link(name, filepath.Join(c.dir, "file"))
		}
		b.link("run", c.dir)
		link := filepath.Join(b.dir, "pid")
		b.must(os.Symlink(filepath.Join(c.dir, "file"), link))
		b.config.Process.User = specs.User{UID: 7, GID: 7}
		b.config.Process.Env = []string{"PATH=/bin"}
		b.env = append(os.Environ(), "NOTIFY_SOCKET="+filepath.Join(b.dir, "notify"))
		pid := b.created("--pid-file", link)
		data, err := os.ReadFile(link)
		if info, e := os.Lstat(link); err != nil || e != nil || !info.Mode().IsRegular() || strings.TrimSpace(string(data)) != fmt.Sprint(pid) {
			b.Errorf("the pid file holds %q, %v, %v; want %d in a file of its own", data, err, e, pid)
		}
	})
}

// A source that holds namespaces' files comes as it is or not at all: nothing
// else is mounted in its stead. crun#2262.
func TestNamespacesBelowASource(t *testing.T) {
	eachKind(t, func(b *bundle) {
		source := b.TempDir()
		b.must(os.Chmod(source, 0o755))
		b.must(os.WriteFile(filepath.Join(source, "marker"), nil, 0o644))
		for _, ns := range []string{"net", "mnt", "pid"} {
			path := filepath.Join(source, ns)
			b.must(os.WriteFile(path, nil, 0o644))
			if err := unix.Mount("/proc/self/ns/"+ns, path, "", unix.MS_BIND, ""); err != nil {
				continue // a mount namespace within itself is refused by the kernel
			}
			defer unix.Unmount(path, unix.MNT_DETACH)
		}
		b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: "/host", Type: "bind", Source: source, Options: []string{"rbind"}})
		if r := b.run("sh", "-c", "test -e /host/marker && ! test -e /host/bin"); r.failed() && strings.TrimSpace(r.err) == "" {
			b.Errorf("the source's place holds something else: %v", r)
		}
	})
}
