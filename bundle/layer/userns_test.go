package layer

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	. "github.com/davit-containers/davit/conformance/treetest"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// insideEnv makes this test's program unpack in a user namespace: the layers in
// that directory, in both forms.
const insideEnv = "LAYER_TEST_INSIDE"

func unpackInside(at string) int {
	if err := unpackHere(at); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func unpackHere(at string) error {
	o := Options{Namespace: User, OneOwner: os.Getenv("ONE_OWNER") != "", Skipped: func(name, what string) { fmt.Println(name + ": " + what) }}
	plain, err := os.Open(filepath.Join(at, "plain"))
	if err != nil {
		return err
	}
	p := NewPlain(plain, o)
	var lower []*os.File
	for i := range 2 {
		archive, err := os.ReadFile(filepath.Join(at, fmt.Sprint(i, ".tar")))
		if err != nil {
			return err
		}
		if err := p.Apply(context.Background(), bytes.NewReader(archive)); err != nil {
			return err
		}
		if os.Getenv("PLAIN_ONLY") != "" {
			continue
		}
		dir, err := os.Open(filepath.Join(at, fmt.Sprint(i)))
		if err != nil {
			return err
		}
		u, err := Unpack(context.Background(), dir, bytes.NewReader(archive), o)
		if err != nil {
			return err
		}
		if _, err := u.Settle(context.Background(), lower); err != nil {
			return err
		}
		lower = append([]*os.File{dir}, lower...)
	}
	if lower == nil {
		return nil
	}
	merged := filepath.Join(at, "merged")
	options := "userxattr,lowerdir=" + filepath.Join(at, "1") + ":" + filepath.Join(at, "0")
	if err := syscall.Mount("overlay", merged, "overlay", syscall.MS_RDONLY, options); err != nil {
		return fmt.Errorf("mounting overlayfs: %w", err)
	}
	for _, name := range []string{"plain", "merged"} {
		tree, err := ReadDir(filepath.Join(at, name))
		if err != nil {
			return err
		}
		if name == "plain" {
			continue
		}
		other, err := ReadDir(plain.Name())
		if err != nil {
			return err
		}
		if d := Compare(tree, other, ignoreOverlay...); len(d) > 0 {
			return fmt.Errorf("the two forms differ:\n\t%s", strings.Join(d, "\n\t"))
		}
	}
	return nil
}

var insideLayers = [][]Item{
	{Dir("."), Dir("d").Owner(5, 6), File("d/f", "x").Owner(1000, 1000).Mode(0o4755), File("d/gone", ""), File("caps", "c").Xattr("security.capability", capsNetRaw), CharDevice("null", 1, 3).Mode(0o666), File("old", "").Xattr("trusted.x", "1"), Dir("o"), File("o/x", "")},
	{Whiteout("d/gone"), Link("l", "d/f"), Whiteout("o"), Dir("o"), File("o/y", "").Owner(0, 5), Whiteout("old"), Fifo("fifo")},
}

// inside unpacks in a user namespace with some ids, and returns where.
func inside(t *testing.T, ids int, env ...string) (dir, output string) {
	t.Helper()
	maps := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 300000, Size: ids}}
	return as(t, &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: maps, GidMappings: maps, GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{},
	}, env...)
}

// as unpacks in a process of that kind, which is 300000 on the host.
func as(t *testing.T, attr *syscall.SysProcAttr, env ...string) (dir, output string) {
	t.Helper()
	needRoot(t)
	dir = tempDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"0", "1", "plain", "merged"} {
		at := filepath.Join(dir, name)
		if err := os.Mkdir(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(at, 300000, 300000); err != nil {
			t.Fatal(err)
		}
	}
	for i, l := range insideLayers {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i, ".tar")), Tar(t, l...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(env, insideEnv+"="+dir)
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("unpacking in a user namespace: %v\n%s", err, out)
	}
	return dir, string(out)
}

func TestInUserNamespace(t *testing.T) {
	dir, output := inside(t, 65536)
	tree := Read(t, filepath.Join(dir, "plain"))
	for path, want := range map[string]string{".": "300000:300000", "d": "300005:300006", "d/f": "301000:301000", "caps": "300000:300000", "o/y": "300000:300005", "l": "301000:301000"} {
		if e := tree[path]; fmt.Sprintf("%d:%d", e.UID, e.GID) != want {
			t.Errorf("%s belongs to %d:%d, want %s", path, e.UID, e.GID, want)
		}
	}
	if mode := tree["d/f"].Mode & 0o7777; mode != 0o4755 {
		t.Errorf("d/f has mode %o, want 4755", mode)
	}
	const root300000 = "\xe0\x93\x04\x00"
	if got, want := tree["caps"].Xattrs["security.capability"], "\x01\x00\x00\x03"+capsNetRaw[4:]+root300000; got != want {
		t.Errorf("caps has the capabilities %q, want %q", got, want)
	}
	// A device needs more rights: an empty file without permissions is there.
	if e := tree["null"]; e.Mode != syscall.S_IFREG || e.Size != 0 {
		t.Errorf("null is %+v", e)
	}
	for _, want := range []string{"null: device: operation not permitted", "old: extended attribute trusted.x: operation not permitted"} {
		if !strings.Contains(output, want) {
			t.Errorf("%q is not reported in:\n%s", want, output)
		}
	}
}

func TestInUserNamespaceWithOneID(t *testing.T) {
	dir, _ := inside(t, 1, "ONE_OWNER=1")
	for path, e := range Read(t, filepath.Join(dir, "plain")) {
		if e.UID != 300000 || e.GID != 300000 {
			t.Errorf("%s belongs to %d:%d, want 300000:300000", path, e.UID, e.GID)
		}
	}
}

func TestWithoutPrivileges(t *testing.T) {
	dir, output := as(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 300000, Gid: 300000}}, "ONE_OWNER=1", "PLAIN_ONLY=1")
	tree := Read(t, filepath.Join(dir, "plain"))
	for path, e := range tree {
		if e.UID != 300000 || e.GID != 300000 {
			t.Errorf("%s belongs to %d:%d, want 300000:300000", path, e.UID, e.GID)
		}
	}
	if tree["l"].Links != "d/f" || tree["d/gone"].Path != "" || tree["o/x"].Path != "" {
		t.Errorf("the layers are not laid over each other: %v", tree.Paths())
	}
	if !strings.Contains(output, "caps: extended attribute security.capability: operation not permitted") {
		t.Errorf("the capabilities are not reported in:\n%s", output)
	}
}

// ids are mappings of all that layers have, to ids from first on.
func ids(first uint32) []specs.LinuxIDMapping {
	return []specs.LinuxIDMapping{{ContainerID: 0, HostID: first, Size: 65536}}
}

func TestMappedOwners(t *testing.T) {
	needRoot(t)
	layer := Tar(t, Dir(".").Owner(1, 2), File("f", "").Owner(1000, 0), Symlink("l", "f").Owner(0, 7), File("a/b", "x").Xattr("security.capability", capsNetRaw))
	dir, err := plainForm(t, Options{UIDs: ids(100000), GIDs: ids(200000)}, layer)
	if err != nil {
		t.Fatal(err)
	}
	tree := Read(t, dir)
	for path, want := range map[string]string{".": "100001:200002", "f": "101000:200000", "l": "100000:200007", "a": "100000:200000", "a/b": "100000:200000"} {
		if e := tree[path]; fmt.Sprintf("%d:%d", e.UID, e.GID) != want {
			t.Errorf("%s belongs to %d:%d, want %s", path, e.UID, e.GID, want)
		}
	}
	const root100000 = "\xa0\x86\x01\x00"
	if got, want := tree["a/b"].Xattrs["security.capability"], "\x01\x00\x00\x03"+capsNetRaw[4:]+root100000; got != want {
		t.Errorf("a/b has the capabilities %q, want %q", got, want)
	}
	_, err = plainForm(t, Options{UIDs: ids(100000), GIDs: ids(200000)}, Tar(t, File("f", "").Owner(65536, 0)))
	if err == nil || !strings.Contains(err.Error(), "uid 65536 has no place in the mapping") {
		t.Errorf("got error %v, want one of uid 65536", err)
	}
}
