package stage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/plan"
)

// withoutVar names the system calls that inRoot's steps do without.
const withoutVar = "DAVIT_TEST_WITHOUT"

// What stands in for refused system calls is as good as they are.
func TestWithout(t *testing.T) {
	needRoot(t)
	if os.Getenv(withoutVar) != "" {
		return
	}
	for _, calls := range []string{"openat2 mount_setattr", "openat2 mount_setattr open_tree", "open_tree"} {
		cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run=^(TestLinksStayInside|TestAttach|TestExchangedDirectory|TestMask.*|TestDevice.*|TestCopyUp|TestRefused.*)$")
		cmd.Env = append(os.Environ(), withoutVar+"="+calls)
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("--- PASS: TestLinksStayInside")) {
			t.Errorf("without %s: %v\n%s", calls, err, out)
		}
	}
}

// Attributes of mounts are the same, whoever sets them.
func TestRefusedAttributes(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, "a/b"), 0o755))
	attrs := int(unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOATIME)
	s := start(t, inRoot(root,
		step(plan.OpNewFS, "tmpfs", "one", []string{"mode=755"}, unix.MOUNT_ATTR_NOEXEC, ""),
		step(plan.OpSetAttr, unix.MOUNT_ATTR_NODEV, 0, 0, 0, 0),
		step(plan.OpSetAttr, attrs, unix.MOUNT_ATTR__ATIME, unix.MOUNT_ATTR_NOEXEC, 0, 0),
		step(plan.OpAttach, "/a", 0),
		step(plan.OpSetAttr, 0, 0, 0, unix.MS_SHARED, 0),
		tmpfs("two"),
		step(plan.OpAttach, "/a", 0),
		step(plan.OpSetAttrAt, "/a", unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSYMFOLLOW, 0, 0, 0),
		step(plan.OpSetAttrAt, "/a", 0, unix.MOUNT_ATTR_RDONLY, 0, 0),
		step(plan.OpMountFS, "tmpfs", "three", 0, "mode=755", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV),
		step(plan.OpSetAttr, unix.MOUNT_ATTR_RDONLY, unix.MOUNT_ATTR_NODEV, 0, 0, 0),
		step(plan.OpAttach, "/c", 0),
		step(plan.OpMountFS, "tmpfs", "four", 0, "mode=755", 0),
		step(plan.OpAttach, "/d", 0),
	)...)
	s.expect("sync done")
	for source, want := range map[string]string{"one": "ro,nosuid,nodev,noatime", "two": "rw,relatime,nosymfollow",
		"three": "ro,nosuid,relatime", "four": "rw,relatime"} {
		if got := s.options(source); got != want {
			t.Errorf("%s: got %s, want %s", source, got, want)
		}
	}
}

// options are those of the mount from a source, as the stage sees it.
func (s *stage) options(source string) string {
	s.Helper()
	for _, line := range bytes.Split(read(s.T, fmt.Sprintf("/proc/%d/mountinfo", s.Pid)), []byte("\n")) {
		if fields := bytes.Fields(line); bytes.Contains(line, []byte(" tmpfs "+source+" ")) {
			return string(fields[5])
		}
	}
	return ""
}

// A path that is made read-only is so with all that is mounted below it, and
// nothing else is.
func TestRefusedReadonlyBelow(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, "a"), 0o755))
	var steps []plan.Step
	for _, dest := range []string{"/a/b c", "/a/b c/deep", "/a/b c/deep", "/a/over/covered", "/a/over", "/d", "/d/e"} {
		steps = append(steps, tmpfs("x"), step(plan.OpAttach, dest, 0))
	}
	s := start(t, inRoot(root, append(steps, step(plan.OpReadonly, "/a"), step(plan.OpReadonly, "/d/e"))...)...)
	s.expect("sync done")
	inside := fmt.Sprintf("/proc/%d/root%s", s.Pid, root)
	for dest, want := range map[string]error{
		"/a": unix.EROFS, "/a/b c": unix.EROFS, "/a/b c/deep": unix.EROFS, "/a/over": unix.EROFS,
		"/": nil, "/d": nil, "/d/e": unix.EROFS,
	} {
		if err := os.Mkdir(filepath.Join(inside, dest, "new"), 0o755); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", dest, err, want)
		}
	}
}

// What nothing stands in for fails.
func TestRefusedRecursion(t *testing.T) {
	if !strings.Contains(os.Getenv(withoutVar), "mount_setattr") {
		t.Skip("runs in TestWithout")
	}
	root := t.TempDir()
	s := start(t, inRoot(root,
		tmpfs("one"),
		step(plan.OpSetAttr, unix.MOUNT_ATTR_RDONLY, 0, 0, 0, plan.AttrRecursive),
		step(plan.OpAttach, "/a", 0),
	)...)
	if note := s.failure(first+2, unix.ENOSYS); note != "mount_setattr(2) is refused here, and nothing stands in for it" {
		t.Errorf("note is %q", note)
	}
}

// Links of proc that lead elsewhere than their text says are no way.
func TestRefusedMagicLinks(t *testing.T) {
	needRoot(t)
	for _, path := range []string{"/proc/self/root/x", "/proc/self/cwd/x", "/proc/thread-self/root/x", "/proc/self/fd/0/x", "/proc/self/ns/mnt/x"} {
		root := t.TempDir()
		must(t, os.Mkdir(filepath.Join(root, "proc"), 0o755))
		s := start(t, inRoot(root,
			step(plan.OpNewFS, "proc", "proc", []string{}, 0, ""),
			step(plan.OpAttach, "/proc", plan.AttachPlain),
			step(plan.OpMkdir, path),
		)...)
		if note := s.failure(first+2, unix.ELOOP); note != "" {
			t.Errorf("%s: note is %q", path, note)
		}
	}
}
