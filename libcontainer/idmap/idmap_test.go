package idmap

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

func ids(container, host, size uint32) specs.LinuxIDMapping {
	return specs.LinuxIDMapping{ContainerID: container, HostID: host, Size: size}
}

func list(m ...specs.LinuxIDMapping) []specs.LinuxIDMapping { return m }

func TestChoose(t *testing.T) {
	const both = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID
	own := Maps{list(ids(0, 1000, 1)), list(ids(0, 1001, 1))}
	range1 := Maps{list(ids(0, 1000, 1), ids(1, 100000, 65536)), list(ids(0, 1001, 1))}
	tests := []struct {
		name string
		m    Maps
		caps uint64
		want Ways
	}{
		{"privileged", range1, both, Ways{Direct, Direct}},
		{"privileged, own ids", own, both, Ways{Direct, Direct}},
		{"one capability only", range1, 1 << unix.CAP_SETUID, Ways{Direct, Self}},
		{"own ids", own, 0, Ways{Self, Self}},
		{"a range of uids", range1, 0, Ways{Helper, Self}},
		{"another's id", Maps{list(ids(0, 1002, 1)), own.GIDs}, 0, Ways{Helper, Self}},
		{"own id and more", Maps{own.UIDs, list(ids(0, 1001, 2))}, 0, Ways{Self, Helper}},
		{"nothing", Maps{}, 0, Ways{Helper, Helper}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Choose(tt.m, tt.caps, 1000, 1001); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestText(t *testing.T) {
	m := list(ids(0, 100000, 65536), ids(65536, 4294967294, 1))
	if got, want := text(m), "0:100000:65536,65536:4294967294:1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := lines(m), "0 100000 65536\n65536 4294967294 1\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// child starts a process in a new user namespace without mappings.
func child(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("sleep", "100")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, Pdeathsig: unix.SIGKILL}
	needs.Kernel(t, needs.UserNamespaces, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd.Process.Pid
}

func openProc(t *testing.T) *os.File {
	t.Helper()
	proc, err := os.Open("/proc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proc.Close() })
	return proc
}

// readMap returns a mapping as the kernel shows it, its blanks squeezed.
func readMap(t *testing.T, pid int, name string) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		out = append(out, strings.Join(strings.Fields(line), ":"))
	}
	return strings.Join(out, ",")
}

func needRoot(t *testing.T) {
	t.Helper()
	needs.Root(t, "it maps ids that are not its own")
}

func TestWriteDirect(t *testing.T) {
	needRoot(t)
	pid := child(t)
	m := Maps{list(ids(0, 100000, 65536), ids(65536, 0, 1)), list(ids(0, 200000, 10))}
	if err := Write(openProc(t), pid, m, Ways{Direct, Direct}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"uid_map": text(m.UIDs), "gid_map": text(m.GIDs), "setgroups": "allow"} {
		if got := readMap(t, pid, name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	err := Write(openProc(t), pid, m, Ways{Direct, Direct})
	if want := "mapping uids 0:100000:65536,65536:0:1: operation not permitted [needs CAP_SETUID, and for host id 0 CAP_SETFCAP]"; err == nil || err.Error() != want {
		t.Errorf("second time: got %v, want %s", err, want)
	}
}

func TestWriteErrors(t *testing.T) {
	needRoot(t)
	pid := child(t)
	const einval = ": invalid argument [ranges overlap, are empty, or are more than 340]"
	var many []specs.LinuxIDMapping
	for i := range uint32(341) {
		many = append(many, ids(i, i+1000, 1))
	}
	tests := []struct {
		name string
		pid  int
		m    Maps
		want string
	}{
		{"overlap", pid, Maps{UIDs: list(ids(0, 1000, 10), ids(5, 2000, 10))}, "mapping uids 0:1000:10,5:2000:10" + einval},
		{"empty range", pid, Maps{GIDs: list(ids(0, 1000, 0))}, "mapping gids 0:1000:0" + einval},
		{"too many", pid, Maps{UIDs: many}, "mapping uids " + text(many) + einval},
		{"no such process", 1 << 23, Maps{UIDs: list(ids(0, 0, 1))}, "opening /proc/8388608: no such file or directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := Write(openProc(t), tt.pid, tt.m, Ways{Direct, Direct}); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// asUser runs one test of this file again as a user without privileges.
func asUser(t *testing.T, uid uint32) (again bool) {
	t.Helper()
	if os.Getenv("IDMAP_USER") != "" {
		return true
	}
	needRoot(t)
	copyOfSelf := filepath.Join(t.TempDir(), "test")
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(copyOfSelf); strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
	}
	if err := os.WriteFile(copyOfSelf, data, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(copyOfSelf, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "IDMAP_USER=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "--- SKIP") {
		t.Errorf("%v: %s", err, out)
	}
	return false
}

func TestWriteSelf(t *testing.T) {
	if !asUser(t, 12345) {
		return
	}
	pid := child(t)
	other := Maps{UIDs: list(ids(0, 1, 1))}
	err := Write(openProc(t), pid, other, Ways{Self, Self})
	if want := "mapping uids 0:1:1: operation not permitted [without privileges only one's own id can be mapped: more need newuidmap and a range in /etc/subuid]"; err == nil || err.Error() != want {
		t.Errorf("another's id: got %v, want %s", err, want)
	}
	m := Maps{list(ids(0, 12345, 1)), list(ids(5, 12345, 1))}
	if err := Write(openProc(t), pid, m, Ways{Self, Self}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"uid_map": text(m.UIDs), "gid_map": text(m.GIDs), "setgroups": "deny"} {
		if got := readMap(t, pid, name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestWriteByHelpersNotAllowed(t *testing.T) {
	t.Setenv("USER", "root") // as su(1) may leave it
	if !asUser(t, 12345) {
		return
	}
	needs.Program(t, "newuidmap")
	err := Write(openProc(t), child(t), Maps{UIDs: list(ids(0, 100000, 65536))}, Ways{Helper, Helper})
	if err == nil || !strings.HasPrefix(err.Error(), "mapping uids 0:100000:65536: newuidmap: exit status 1: ") ||
		!strings.HasSuffix(err.Error(), " [/etc/subuid has no line for the user 12345: add 12345:FIRST:COUNT]") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

// The helpers need entries for the user in /etc/subuid and /etc/subgid; the
// test lays its own over them, in a mount namespace of its own.
func TestWriteByHelpers(t *testing.T) {
	const subids = "65534:300000:1000\n"
	if os.Getenv("IDMAP_USER") == "" {
		needRoot(t)
		needs.Program(t, "newuidmap")
		if os.Getenv("IDMAP_MOUNTS") == "" {
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("unshare", "--mount", self, "-test.run=^TestWriteByHelpers$", "-test.v")
			cmd.Env = append(os.Environ(), "IDMAP_MOUNTS=1")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
			return
		}
		file := filepath.Join(t.TempDir(), "subids")
		if err := os.WriteFile(file, []byte(subids), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, over := range []string{"/etc/subuid", "/etc/subgid"} {
			if err := unix.Mount(file, over, "", unix.MS_BIND, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !asUser(t, 65534) {
		return
	}
	pid := child(t)
	m := Maps{list(ids(0, 65534, 1), ids(1, 300000, 1000)), list(ids(0, 300000, 1000))}
	if err := Write(openProc(t), pid, m, Ways{Helper, Helper}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"uid_map": text(m.UIDs), "gid_map": text(m.GIDs)} {
		if got := readMap(t, pid, name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestHelperMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := Write(nil, 1, Maps{UIDs: list(ids(0, 1, 2))}, Ways{Helper, Helper})
	if want := `mapping uids 0:1:2: exec: "newuidmap": executable file not found in $PATH [more than one's own id needs the package uidmap or shadow-utils]`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestUserNS(t *testing.T) {
	needRoot(t)
	m := Maps{list(ids(0, 100000, 65536)), list(ids(0, 200000, 65536))}
	f, err := UserNS(m)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if typ, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE); typ != unix.CLONE_NEWUSER || err != nil {
		t.Errorf("type of namespace: got %#x, %v", typ, err)
	}
	out, err := exec.Command("nsenter", fmt.Sprintf("--user=/proc/%d/fd/%d", os.Getpid(), f.Fd()), "cat", "/proc/self/uid_map", "/proc/self/gid_map").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got, want := strings.Join(strings.Fields(string(out)), ":"), "0:100000:65536:0:200000:65536"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := UserNS(Maps{UIDs: list(ids(0, 0, 0)), GIDs: m.GIDs}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("empty range: got %v", err)
	}
	var status unix.WaitStatus
	if pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}

// A mount with such a namespace shows files of 100000 as of 0.
func TestUserNSMapsMount(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	if err := os.Chown(dir, 5, 6); err != nil {
		t.Fatal(err)
	}
	f, err := UserNS(Maps{list(ids(5, 1005, 1)), list(ids(6, 1006, 1))})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tree, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	needs.Kernel(t, needs.IDMappedMounts, err)
	defer unix.Close(tree)
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(f.Fd())}
	needs.Kernel(t, needs.IDMappedMounts, unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr))
	var st unix.Stat_t
	if err := unix.Fstat(tree, &st); err != nil || st.Uid != 1005 || st.Gid != 1006 {
		t.Errorf("got %d:%d, %v, want 1005:1006", st.Uid, st.Gid, err)
	}
}

func TestCache(t *testing.T) {
	needRoot(t)
	var c Cache
	defer c.Close()
	a := Maps{list(ids(0, 1000, 1)), list(ids(0, 1000, 1))}
	b := Maps{list(ids(0, 1000, 1)), list(ids(0, 1001, 1))}
	first, err := c.UserNS(a)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.UserNS(a); again != first || err != nil {
		t.Errorf("the same mapping: got %v, %v", again, err)
	}
	if other, err := c.UserNS(b); other == first || err != nil {
		t.Errorf("another mapping: got %v, %v", other, err)
	}
}

func BenchmarkUserNS(b *testing.B) {
	needs.Root(b, "it maps ids that are not its own")
	for b.Loop() {
		f, err := UserNS(Maps{list(ids(0, 1000, 1)), list(ids(0, 1000, 1))})
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}

// CVE-2024-21626: what our caller left open is not for the helpers.
func TestCallersDescriptors(t *testing.T) {
	fd, err := unix.Open("/etc/passwd", unix.O_RDONLY, 0) // without close-on-exec
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	dir := t.TempDir()
	script := "#!/bin/sh\n/usr/bin/readlink /proc/self/fd/*\nexit 1\n"
	if err := os.WriteFile(filepath.Join(dir, "newuidmap"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	err = runHelper(os.Getpid(), uids, list(ids(0, 1, 2)))
	if err == nil || !strings.Contains(err.Error(), "pipe:") || strings.Contains(err.Error(), "/etc/passwd") {
		t.Errorf("newuidmap has %v", err)
	}
}
