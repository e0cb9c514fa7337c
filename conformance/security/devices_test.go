package security

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The image's /dev is its own: no file system is mounted there, and it holds
// what is no device. The container is refused, or has the true devices; the
// host's files are never given to its user. CVE-2026-88264, CVE-2026-88265,
// CVE-2025-31133, CVE-2025-52565.
func TestFalseDevices(t *testing.T) {
	type maker func(b *bundle, c *canary, path string)
	link := func(target string) maker {
		return func(b *bundle, c *canary, path string) { b.link(path, strings.ReplaceAll(target, "CANARY", c.dir)) }
	}
	kinds := []struct {
		name string
		make maker
	}{
		{"link to the host", link("CANARY/null")},
		{"relative link to the host", link("../../../../../../../../../../..CANARY/null")},
		{"link to proc", link("/proc/sys/kernel/core_pattern")},
		{"link to nothing", link("/nowhere")},
		{"link to a file", link("/etc/file")},
		{"file", func(b *bundle, c *canary, path string) { b.file(path, "", 0o666) }},
		{"fifo", func(b *bundle, c *canary, path string) { b.must(unix.Mkfifo(b.root(path), 0o666)) }},
		{"directory", func(b *bundle, c *canary, path string) { b.must(os.Mkdir(b.root(path), 0o755)) }},
		{"another device", func(b *bundle, c *canary, path string) {
			b.must(unix.Mknod(b.root(path), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))))
		}},
	}
	eachKind(t, func(b *bundle) {
		for _, name := range []string{"null", "tty", "ptmx"} {
			for _, kind := range kinds {
				if name == "ptmx" && b.hasUserNamespace() {
					continue
				}
				b.Run(name+" is a "+kind.name, func(t *testing.T) {
					b := b.sibling(t)
					c := b.canary("null")
					withoutDev(b.config, false)
					b.file("etc/file", "", 0o666)
					kind.make(b, c, "dev/"+name)
					b.config.Process.User.UID = 1000
					b.trueDevices(name)
				})
			}
		}
	})
}

// trueDevices makes the container, with this process's null device as its
// standard streams, and looks at what it has if it comes about.
func (b *bundle) trueDevices(name string) {
	b.Helper()
	pid, _ := b.create()
	if pid == 0 {
		return
	}
	if name != "ptmx" { // which is a link in every container
		b.isDevice(pid, "/dev/"+name, map[string]uint64{"null": unix.Mkdev(1, 3), "zero": unix.Mkdev(1, 5), "tty": unix.Mkdev(5, 0)}[name])
	}
	b.isDevice(pid, "/proc/keys", unix.Mkdev(1, 3))
	for fd := range 3 {
		var st unix.Stat_t
		b.must(unix.Stat(fmt.Sprintf("/proc/%d/fd/%d", pid, fd), &st))
		if fd == 0 && (st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3)) {
			b.Errorf("standard stream %d has mode %o and device %#x", fd, st.Mode, st.Rdev)
		}
	}
	var st unix.Stat_t
	b.must(unix.Stat("/dev/null", &st))
	if st.Uid != 0 {
		b.Errorf("the host's /dev/null belongs to %d", st.Uid)
		unix.Chown("/dev/null", 0, 0)
	}
}

// isDevice reports where a path of the container is not a character device.
func (b *bundle) isDevice(pid int, path string, device uint64) {
	b.Helper()
	f, err := inContainer(pid, path, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		b.Errorf("%s: %v", path, err)
		return
	}
	defer f.Close()
	var st unix.Stat_t
	b.must(unix.Fstat(int(f.Fd()), &st))
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != device {
		b.Errorf("%s has mode %o and device %#x", path, st.Mode, st.Rdev)
	}
}

// A device that is asked for is that device, or the container is refused.
// config-linux.md#devices: a file that does not match is an error.
func TestDeviceThatIsAnother(t *testing.T) {
	b := newBundle(t)
	withoutDev(b.config, false)
	b.config.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/wanted", Type: "c", Major: 1, Minor: 7}}
	b.must(unix.Mknod(b.root("dev/wanted"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))))
	if pid, _ := b.create(); pid != 0 {
		b.isDevice(pid, "/dev/wanted", unix.Mkdev(1, 7))
	}
}

// The image's /dev is a link to a directory of the host, which has what the
// runtime replaces in /dev. CVE-2026-41579 (GHSA-xjvp-4fhw-gc47),
// CVE-2026-47766 (GHSA-7vwr-4279-7gq5).
func TestDevIsALink(t *testing.T) {
	for _, target := range []string{"CANARY", "../../../../../../../../../../..CANARY", "vol/../../../../../../../../../../..CANARY", "/proc/1/rootCANARY"} {
		for _, terminal := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, terminal=%v", target, terminal), func(t *testing.T) {
				eachKind(t, func(b *bundle) {
					c := b.canary()
					withoutDev(b.config, false)
					b.link("dev", strings.ReplaceAll(target, "CANARY", c.dir))
					if !terminal {
						b.runToEnd()
						return
					}
					b.terminal()
				})
			})
		}
	}
}

// runToEnd creates and starts the container, in two calls.
func (b *bundle) runToEnd() {
	b.Helper()
	if pid, _ := b.create(); pid != 0 {
		b.call("start", b.id)
	}
}

// A cgroup hierarchy's links are made where the cgroups are mounted, and
// nowhere else. CVE-2026-41579.
func TestCgroupLinks(t *testing.T) {
	eachKind(t, func(b *bundle) {
		c := b.canary()
		b.must(os.MkdirAll(b.root("vol/fs"), 0o755))
		b.link("vol/fs/cgroup", c.dir)
		b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: "/vol/fs/cgroup", Type: "cgroup", Source: "cgroup"})
		if outside := b.mountsOnHost(b.runToEnd); len(outside) > 0 {
			b.Errorf("mounted on the host: %q", outside)
		}
	})
}

// /dev/null is a device and something else in turn, while it is bound over
// what is masked. CVE-2025-31133 (GHSA-9493-h29p-rfm2).
func TestExchangedNull(t *testing.T) {
	for _, target := range []string{"/proc/sysrq-trigger", "/etc/secret"} {
		t.Run(target, func(t *testing.T) {
			b := newBundle(t)
			withoutDev(b.config, false)
			b.must(unix.Mknod(b.root("dev/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
			b.file("etc/secret", "the container's", 0o666)
			b.link("dev/evil", target)
			for i := range 20 {
				name := fmt.Sprintf("etc/masked%d", i)
				b.file(name, "masked", 0o666)
				b.config.Linux.MaskedPaths = append(b.config.Linux.MaskedPaths, "/"+name)
			}
			b.race(b.root("dev/null"), b.root("dev/evil"), func(pid int) {
				for _, path := range b.config.Linux.MaskedPaths {
					if strings.HasPrefix(path, "/etc/") || path == "/proc/keys" {
						b.isDevice(pid, path, unix.Mkdev(1, 3))
					}
				}
				b.confined(b.mountsOf(fmt.Sprint(pid)))
			})
		})
	}
}

// /dev/console, and what leads to the terminals, is a link in turn.
// CVE-2025-52565 (GHSA-qw9x-cqr3-wc7r), CVE-2026-88264.
func TestExchangedConsole(t *testing.T) {
	for _, name := range []string{"console", "pts"} {
		for _, target := range []string{"/proc/sys/kernel/core_pattern", "CANARY"} {
			t.Run(name+" with "+target, func(t *testing.T) {
				eachKind(t, func(b *bundle) {
					c := b.canary()
					withoutDev(b.config, true)
					b.falseTerminals(name)
					b.link("dev/evil", strings.ReplaceAll(target, "CANARY", filepath.Join(c.dir, name)))
					b.write()
					a := b.attack("attack-exchange", b.root("dev/"+name), b.root("dev/evil"))
					made := 0
					for range *rounds {
						made += b.terminal()
					}
					a.stop()
					b.Logf("%d of %d containers came about", made, *rounds)
				})
			})
		}
	}
}

// falseTerminals is a /dev in which one name waits to be exchanged.
func (b *bundle) falseTerminals(name string) {
	b.Helper()
	b.file("etc/victim", "the container's", 0o666)
	b.must(os.Mkdir(b.root("dev/pts"), 0o755))
	if name != "pts" {
		b.file("dev/"+name, "", 0o666)
	}
}

// terminal creates the container with a terminal, and removes it. It gives 1
// if the container came about, in which the terminals are where they belong.
func (b *bundle) terminal() int {
	b.Helper()
	b.config.Process.Terminal = true
	b.writeConfig()
	socket := filepath.Join(b.dir, "console")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	b.must(err)
	defer unix.Close(fd)
	os.Remove(socket)
	b.must(unix.Bind(fd, &unix.SockaddrUnix{Name: socket}))
	b.must(unix.Listen(fd, 1))
	defer b.remove()
	if r := b.call("create", "--bundle", b.dir, "--console-socket", socket, b.id); r.failed() {
		return 0
	}
	for _, m := range b.mountsOf(fmt.Sprint(b.pid())) {
		if m.fstype == "devpts" && m.root != "/" && !strings.HasPrefix(m.point, "/dev/") {
			b.Errorf("a terminal is mounted at %s", m.point)
		}
		if m.point == "/dev/console" && m.fstype != "devpts" {
			b.Errorf("%s %s is mounted at /dev/console", m.fstype, m.root)
		}
	}
	return 1
}
