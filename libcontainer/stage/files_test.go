package stage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/plan"
)

// inRoot are steps that work on the files of root, in a mount namespace of
// their own, and stop at the sync "done".
func inRoot(root string, steps ...plan.Step) []plan.Step {
	before := []plan.Step{
		step(plan.OpWithout, strings.Fields(os.Getenv(withoutVar))),
		step(plan.OpUnshare, unix.CLONE_NEWNS),
		step(plan.OpPropagate, "/", unix.MS_REC|unix.MS_PRIVATE),
		step(plan.OpRoot, root, 1),
	}
	return append(append(before, steps...), step(plan.OpSync, "done"))
}

// first is the index of the first of the steps given to inRoot.
const first = 4

// tmpfs is a mount in hand, with a file in it that says which it is.
func tmpfs(source string) plan.Step {
	return step(plan.OpNewFS, "tmpfs", source, []string{"mode=755"}, 0, "")
}

// canary is a directory that nothing may change.
type canary struct {
	*testing.T
	path string
	want string
}

func newCanary(t *testing.T) *canary {
	needRoot(t)
	c := &canary{T: t, path: t.TempDir()}
	if err := os.WriteFile(filepath.Join(c.path, "file"), []byte("alive"), 0o644); err != nil {
		t.Fatal(err)
	}
	c.want = c.look()
	t.Cleanup(func() {
		if got := c.look(); got != c.want {
			t.Errorf("the canary is %s, want %s", got, c.want)
		}
	})
	return c
}

func (c *canary) look() string {
	var b strings.Builder
	filepath.Walk(c.path, func(path string, info os.FileInfo, err error) error {
		fmt.Fprintln(&b, path, info.Mode(), info.Size(), info.ModTime().UnixNano(), err)
		return nil
	})
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	fmt.Fprint(&b, strings.Contains(string(mounts), c.path))
	return b.String()
}

// mountsBelow are the mountpoints in the stage's namespace below a path.
func (s *stage) mountsBelow(path string) (below []string) {
	s.Helper()
	for _, line := range strings.Split(string(read(s.T, fmt.Sprintf("/proc/%d/mountinfo", s.Pid))), "\n") {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], path+"/") {
			below = append(below, fields[4][len(path):])
		}
	}
	return below
}

// Links of a container lead nowhere but into the container.
func TestLinksStayInside(t *testing.T) {
	dir := func(path string) plan.Step { return step(plan.OpMkdir, path) }
	tests := []struct {
		name  string
		links map[string]string // CANARY stands for its path
		step  plan.Step
		want  string // what must come to be in the root
		errno unix.Errno
	}{
		{"absolute", map[string]string{"a": "CANARY"}, dir("/a/x"), "CANARY/x", 0},
		{"relative", map[string]string{"a": "../../../../../../../..CANARY"}, dir("/a/x"), "CANARY/x", 0},
		{"dangling", map[string]string{"a": "/b/c"}, dir("/a/x"), "b/c/x", 0},
		{"dangling chain", map[string]string{"a": "b", "b": "/c/../d"}, dir("/a/x"), "d/x", 0},
		{"to itself", map[string]string{"a": "a"}, dir("/a/x"), "", unix.ELOOP},
		{"loop", map[string]string{"a": "b", "b": "a"}, dir("/a/x"), "", unix.ELOOP},
		{"endless", map[string]string{"a": "a/a"}, dir("/a"), "", unix.ELOOP},
		{"dots", nil, dir("/../../x/../../y"), "y", 0},
		{"dots of a missing directory", nil, dir("/x/../../y/z"), "y/z", 0},
		{"magic", map[string]string{"a": "/proc/self/root"}, dir("/a/x"), "proc/self/root/x", 0},
		{"long name", nil, dir("/" + strings.Repeat("x", 256)), "", unix.ENAMETOOLONG},
		{"long path", nil, dir(strings.Repeat("/xxxxxxx", 512)), "", unix.ENAMETOOLONG},
		{"slashes", nil, dir("//x//y//"), "x/y", 0},
		{"link at the end", map[string]string{"a": "CANARY/file"}, step(plan.OpLink, "target", "/a", 1), "a", 0},
		{"link in a link", map[string]string{"a": "CANARY"}, step(plan.OpLink, "target", "/a/x", 0), "CANARY/x", 0},
		{"device at the end", map[string]string{"a": "CANARY/x"}, step(plan.OpDevice, "/a", 0o020666, 1, 3, 0, 0), "", unix.EEXIST},
		{"device in a link", map[string]string{"a": "CANARY"}, step(plan.OpDevice, "/a/x", 0o020666, 1, 3, 0, 0), "CANARY/x", 0},
		{"no name", nil, step(plan.OpDevice, "/a/..", 0o020666, 1, 3, 0, 0), "", unix.EINVAL},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, root := newCanary(t), t.TempDir()
			for name, target := range tt.links {
				must(t, os.Symlink(strings.ReplaceAll(target, "CANARY", c.path), filepath.Join(root, name)))
			}
			s := start(t, inRoot(root, tt.step)...)
			if tt.errno != 0 {
				s.failure(first, tt.errno)
				return
			}
			s.expect("sync done")
			want := filepath.Join(root, strings.ReplaceAll(tt.want, "CANARY", c.path))
			if _, err := os.Lstat(want); err != nil {
				t.Error(err)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAttach(t *testing.T) {
	tests := []struct {
		name  string
		dest  string
		flags int
		want  string
		errno unix.Errno
	}{
		{"missing", "/new/dir", 0, "/new/dir", 0},
		{"absolute link", "/abs", 0, "CANARY", 0},
		{"dangling link", "/dangling", 0, "/gone/dir", 0},
		{"plain", "/dir", plan.AttachPlain, "/dir", 0},
		{"plain missing", "/new", plan.AttachPlain, "/new", 0},
		{"plain link", "/abs", plan.AttachPlain, "", unix.ELOOP},
		{"plain dangling link", "/dangling", plan.AttachPlain, "", unix.ELOOP},
		{"below a plain link", "/abs/x", plan.AttachPlain, "", unix.ELOOP},
		{"root", "/", 0, "", unix.EINVAL},
		{"root by dots", "/dir/../..", 0, "", unix.EINVAL},
		{"not proc", "/dir", plan.AttachOnlyProc, "", unix.EINVAL},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, root := newCanary(t), t.TempDir()
			must(t, os.Mkdir(filepath.Join(root, "dir"), 0o755))
			must(t, os.Symlink(c.path, filepath.Join(root, "abs")))
			must(t, os.Symlink("/gone/dir", filepath.Join(root, "dangling")))
			s := start(t, inRoot(root, tmpfs("x"), step(plan.OpAttach, tt.dest, tt.flags))...)
			if tt.errno != 0 {
				s.failure(first+1, tt.errno)
				return
			}
			s.expect("sync done")
			want := strings.ReplaceAll(tt.want, "CANARY", c.path)
			if got := s.mountsBelow(root); len(got) != 1 || got[0] != want {
				t.Errorf("mounted at %q, want %q", got, want)
			}
		})
	}
}

// CVE-2021-30465: a directory on the way becomes a link to the host's files
// and back, while the stage is at work on it.
func TestExchangedDirectory(t *testing.T) {
	c, root := newCanary(t), t.TempDir()
	must(t, os.Mkdir(filepath.Join(root, "dir"), 0o755))
	must(t, os.Symlink(c.path, filepath.Join(root, "link")))
	stop, stopped := make(chan struct{}), make(chan error)
	go func() { stopped <- exchange(filepath.Join(root, "dir"), filepath.Join(root, "link"), stop) }()
	var steps []plan.Step
	for i := range 40 {
		n := fmt.Sprint(i)
		must(t, os.Mkdir(filepath.Join(c.path, "d"+n), 0o755)) // a way on, for who was led astray
		steps = append(steps,
			step(plan.OpMkdir, "/dir/d"+n+"/e"),
			step(plan.OpLink, "target", "/dir/l"+n, 1),
			step(plan.OpDevice, "/dir/n"+n, 0o020666, 1, 3, 0, 0),
			tmpfs("t"+n), step(plan.OpAttach, "/dir/m"+n, 0))
	}
	c.want = c.look()
	done, failed := 0, 0
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		s := start(t, inRoot(root, steps...)...)
		switch got := s.hear(); {
		case got == "sync done":
			done++
		case strings.HasPrefix(got, "fail "):
			failed++
		default:
			t.Fatalf("the stage says %q", got)
		}
		for _, m := range s.mountsOutside(root) {
			t.Errorf("mounted at %s", m)
		}
		s.Control.Close()
		s.exits(125)
	}
	close(stop)
	must(t, <-stopped)
	t.Logf("%d stages came through, %d gave up", done, failed)
}

// mountsOutside are the mounts made by the test that are not below the root.
func (s *stage) mountsOutside(root string) (outside []string) {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", s.Pid))
	for _, line := range strings.Split(string(data), "\n") {
		fields := strings.Fields(line)
		if len(fields) > 4 && strings.Contains(line, " - tmpfs t") && !strings.Contains(line, " - tmpfs tmpfs") &&
			!strings.HasPrefix(fields[4], root+"/") {
			outside = append(outside, fields[4])
		}
	}
	return outside
}

// exchange swaps two names until it is stopped.
func exchange(a, b string, stop chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
}

// The masks of many directories are one file system.
func TestMasksShareOneFileSystem(t *testing.T) {
	if strings.Contains(os.Getenv(withoutVar), "open_tree") {
		t.Skip("mount(2) makes each a file system of its own")
	}
	root := t.TempDir()
	steps := []plan.Step{step(plan.OpDevice, "/dev/null", 0o020666, 1, 3, 0, 0), step(plan.OpEmpty, []string{})}
	for i := range 5 {
		dir := fmt.Sprintf("/dir%d", i)
		must(t, os.MkdirAll(root+dir+"/secret", 0o755))
		steps = append(steps, step(plan.OpMask, dir))
	}
	must(t, os.WriteFile(root+"/file", []byte("secret"), 0o644))
	steps = append(steps, step(plan.OpMask, "/file"), step(plan.OpMask, "/missing"), step(plan.OpMask, "/file/missing"))
	s := start(t, inRoot(root, steps...)...)
	s.expect("sync done")
	inside := fmt.Sprintf("/proc/%d/root%s", s.Pid, root)
	devices := map[uint64]bool{}
	for i := range 5 {
		var st unix.Stat_t
		dir := fmt.Sprintf("%s/dir%d", inside, i)
		must(t, unix.Stat(dir, &st))
		devices[st.Dev] = true
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
			t.Errorf("the mask of dir%d holds %v, %v", i, entries, err)
		}
		if err := os.Mkdir(dir+"/x", 0o755); !errors.Is(err, unix.EROFS) {
			t.Errorf("the mask of dir%d can be written: %v", i, err)
		}
	}
	if len(devices) != 1 {
		t.Errorf("the masks are %d file systems", len(devices))
	}
	if data := read(t, inside+"/file"); len(data) != 0 {
		t.Errorf("the masked file holds %q", data)
	}
}

// What is masked in proc is found from the mount, wherever its mountpoint has
// gone. CVE-2019-19921.
func TestMaskInMovedProc(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"proc", "false/sys", "dev"} {
		must(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	s := start(t, inRoot(root, step(plan.OpNewFS, "proc", "proc", []string{}, 0, ""), step(plan.OpAttach, "/proc", plan.AttachPlain|plan.AttachOnlyProc),
		step(plan.OpSync, "moved"), step(plan.OpReadonly, "/proc/sys"), step(plan.OpEmpty, []string{}), step(plan.OpMask, "/proc/fs"))...)
	s.expect("sync moved")
	must(t, unix.Renameat2(unix.AT_FDCWD, root+"/proc", unix.AT_FDCWD, root+"/false", unix.RENAME_EXCHANGE))
	s.say("go")
	s.expect("sync done")
	if got := strings.Join(s.mountsBelow(root), " "); got != "/false /false/sys /false/fs" {
		t.Errorf("the mounts are %s", got)
	}
}

// A file in the place of a device is that device, or an error.
// Spec: config-linux.md#devices
func TestDeviceThatExists(t *testing.T) {
	tests := []struct {
		name  string
		mode  uint32
		minor uint32
		errno unix.Errno
	}{
		{"the same", unix.S_IFCHR | 0o600, 3, 0},
		{"another", unix.S_IFCHR | 0o666, 5, unix.EEXIST},
		{"another kind", unix.S_IFBLK | 0o666, 3, unix.EEXIST},
		{"a file", unix.S_IFREG | 0o666, 0, unix.EEXIST},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			needRoot(t)
			root := t.TempDir()
			must(t, unix.Mknod(root+"/null", tt.mode, int(unix.Mkdev(1, tt.minor))))
			s := start(t, inRoot(root, step(plan.OpDevice, "/null", unix.S_IFCHR|0o666, 1, 3, 0, 0))...)
			if tt.errno != 0 {
				s.failure(first, tt.errno)
				return
			}
			s.expect("sync done")
		})
	}
}

// CVE-2025-31133: the file that masks is the null device or nothing.
func TestMaskWithFalseNull(t *testing.T) {
	c, root := newCanary(t), t.TempDir()
	must(t, os.Mkdir(root+"/dev", 0o755))
	must(t, os.WriteFile(root+"/file", []byte("secret"), 0o644))
	tests := []struct {
		name string
		make func(path string) error
	}{
		{"link", func(path string) error { return os.Symlink(c.path+"/file", path) }},
		{"file", func(path string) error { return os.WriteFile(path, nil, 0o666) }},
		{"fifo", func(path string) error { return unix.Mkfifo(path, 0o666) }},
		{"another device", func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			os.Remove(root + "/dev/null")
			must(t, tt.make(root+"/dev/null"))
			start(t, inRoot(root, step(plan.OpMask, "/file"))...).failure(first, unix.EINVAL)
		})
	}
}

// A tmpfs gets a copy of what it covers, to a bounded depth.
func TestCopyUp(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	must(t, os.MkdirAll(root+"/dir/sub", 0o751))
	must(t, os.WriteFile(root+"/dir/sub/file", []byte("content"), 0o640))
	must(t, os.Symlink("/etc/passwd", root+"/dir/link"))
	must(t, unix.Mkfifo(root+"/dir/fifo", 0o600))
	must(t, os.Chown(root+"/dir/sub/file", 7, 8))
	s := start(t, inRoot(root, tmpfs("x"), step(plan.OpCopyUp, "/dir"), step(plan.OpAttach, "/dir", 0))...)
	s.expect("sync done")
	inside := fmt.Sprintf("/proc/%d/root%s/dir", s.Pid, root)
	var st unix.Stat_t
	must(t, unix.Stat(inside+"/sub/file", &st))
	if st.Uid != 7 || st.Gid != 8 || st.Mode != unix.S_IFREG|0o640 || string(read(t, inside+"/sub/file")) != "content" {
		t.Errorf("the copy is %d:%d, %o", st.Uid, st.Gid, st.Mode)
	}
	if target, err := os.Readlink(inside + "/link"); target != "/etc/passwd" {
		t.Errorf("the link goes to %q, %v", target, err)
	}
	deep := root + "/dir" + strings.Repeat("/d", 70)
	must(t, os.MkdirAll(deep, 0o755))
	start(t, inRoot(root, tmpfs("x"), step(plan.OpCopyUp, "/dir"))...).failure(first+1, unix.ELOOP)
}
