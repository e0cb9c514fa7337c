package diff

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/layer"
	"github.com/davit-containers/davit/bundle/rootfs"
	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/conformance/treetest"
)

// inNamespaceVar is set for the tests that TestInUserNamespace runs.
const inNamespaceVar = "DIFF_TEST_IN_USERNS"

// userxattr says whether this process is in the user namespace of
// TestInUserNamespace.
var userxattr = os.Getenv(inNamespaceVar) != ""

// namespace is where the layers have their marks.
func namespace() layer.Namespace {
	if userxattr {
		return layer.User
	}
	return layer.Trusted
}

// TestInUserNamespace runs TestRoundTrip again as root of a user namespace.
func TestInUserNamespace(t *testing.T) {
	needs.Root(t, "it maps several ids")
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(dir+"/scratch", 0o700), os.Chown(dir+"/scratch", 100000, 100000)); err != nil {
		t.Fatal(err)
	}
	self := open(t, "/proc/self/exe")
	cmd := exec.Command("/proc/self/fd/3", "-test.v", "-test.run=TestRoundTrip")
	cmd.ExtraFiles = []*os.File{self}
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), inNamespaceVar+"=1", "TMPDIR="+dir+"/scratch")
	ids := []syscall.SysProcIDMap{{HostID: 100000, Size: 65536}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{}, Pdeathsig: syscall.SIGKILL,
	}
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: TestRoundTrip ")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// baseItems are an image's first layer: enough of everything that a container
// can change, replace and remove.
func baseItems() []treetest.Item {
	const caps = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	items := []treetest.Item{treetest.Dir(".").Mode(0o755)}
	for _, d := range []string{"a", "a/b", "a/b/c", "d", "d/e"} {
		items = append(items, treetest.Dir(d).Mode(0o750).Owner(1, 2))
		for i := range 4 {
			at := filepath.Join(d, fmt.Sprint("f", i))
			items = append(items, treetest.File(at, at).Owner(i, i).Mode(0o4755))
		}
		items = append(items, treetest.Link(filepath.Join(d, "l"), filepath.Join(d, "f0")), treetest.Symlink(filepath.Join(d, "s"), "f1").Owner(3, 4))
	}
	if !userxattr {
		items = append(items, treetest.CharDevice("null", 1, 3))
	}
	return append(items, treetest.File("cap", "x").Xattr("security.capability", caps).Xattr("user.k", "v"),
		treetest.Fifo("p"), treetest.Link("capl", "cap"))
}

// unpack unpacks a layer for overlayfs, on the layers below (nearest first).
func unpack(t *testing.T, data []byte, below ...string) string {
	t.Helper()
	dir := t.TempDir()
	into := open(t, dir)
	unsettled, err := layer.Unpack(t.Context(), into, bytes.NewReader(data), layer.Options{Namespace: namespace()})
	if err != nil {
		t.Fatal(err)
	}
	var lower []*os.File
	for _, b := range below {
		lower = append(lower, open(t, b))
	}
	if _, err := unsettled.Settle(t.Context(), lower); err != nil {
		t.Fatal(err)
	}
	return dir
}

// open opens a directory until the test ends.
func open(t *testing.T, dir string) *os.File {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// mounted calls act with an overlay mounted.
func mounted(t *testing.T, s rootfs.Spec, act func(dir string)) {
	t.Helper()
	s.Target, s.Userxattr = t.TempDir(), userxattr
	if err := rootfs.Mount(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := rootfs.Unmount(s.Target); err != nil {
			t.Error(err)
		}
	}()
	act(s.Target)
}

// work does what a container may do, at random. What the state of the tree does
// not allow fails.
func work(random *rand.Rand, dir string) (done int) {
	for range 80 {
		var paths []string
		_ = filepath.WalkDir(dir, func(p string, _ os.DirEntry, _ error) error { paths = append(paths, p); return nil })
		at := paths[random.Intn(len(paths))]
		other := filepath.Join(paths[random.Intn(len(paths))], "n"+fmt.Sprint(random.Intn(5)))
		if random.Intn(3) == 0 {
			other = paths[random.Intn(len(paths))]
		}
		if at != dir && deed(random, at, other) == nil {
			done++
		}
	}
	return done
}

// deed is one thing that a container does.
func deed(random *rand.Rand, at, other string) error {
	switch random.Intn(14) {
	case 0, 1:
		return os.Rename(at, other)
	case 2:
		return os.RemoveAll(at)
	case 3:
		return errors.Join(os.RemoveAll(at), os.Mkdir(at, 0o700))
	case 4:
		return os.Mkdir(other, 0o711)
	case 5:
		return os.Link(at, other)
	case 6:
		return os.Symlink(at, other)
	case 7:
		return os.WriteFile(other, []byte(other), 0o640)
	case 8:
		f, err := os.OpenFile(at, os.O_WRONLY|os.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString("more")
		return errors.Join(err, f.Close())
	case 9:
		return os.Lchown(at, random.Intn(9), random.Intn(9))
	case 10:
		return unix.Lsetxattr(at, "user.new", []byte{0, 1, '\n'}, 0)
	case 11:
		return os.Chmod(at, os.FileMode(random.Intn(0o1000))|0o700|os.ModeSetgid)
	case 12:
		return unix.Mknod(other, unix.S_IFBLK|0o600, int(unix.Mkdev(7, 300)))
	default:
		return os.Chtimes(at, time.Unix(1, 2), time.Unix(random.Int63n(1<<33)-1<<31, random.Int63n(1e9)))
	}
}

// TestRoundTrip takes what was done in a container as a layer, and looks whether
// everybody who unpacks it sees what the container saw.
func TestRoundTrip(t *testing.T) {
	needs.Root(t, "it mounts overlays")
	image := t.TempDir()
	treetest.Make(t, image, baseItems()...)
	base := layerOf(t, Source{}, Directory(image), Options{})
	lower := unpack(t, base)
	for seed := range int64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w, err := rootfs.MakeWritable(t.TempDir(), userxattr, []string{lower})
			if err != nil {
				t.Fatal(err)
			}
			var want treetest.Tree
			mounted(t, rootfs.Spec{Lower: []string{lower}, Upper: w.Upper(), Work: w.Work()}, func(dir string) {
				if done := work(rand.New(rand.NewSource(seed)), dir); done < 20 {
					t.Errorf("only %d deeds succeeded", done)
				}
				want = treetest.Read(t, dir)
			})
			checkLayer(t, base, lower, layerOf(t, Layers(userxattr, lower), Layers(userxattr, w.Upper(), lower), Options{}), want)

			plain := t.TempDir()
			if err := rootfs.Plain(t.Context(), rootfs.PlainSpec{Lower: []string{w.Upper(), lower}, Target: plain, Userxattr: userxattr}); err != nil {
				t.Fatal(err)
			}
			treetest.EqualTrees(t, treetest.Read(t, plain), want)
			checkLayer(t, base, lower, layerOf(t, Layers(userxattr, lower), Directory(plain), Options{}), want)
			checkExport(t, Layers(userxattr, w.Upper(), lower), want)
		})
	}
}

// checkLayer unpacks a layer on its base in every way.
func checkLayer(t *testing.T, base []byte, lower string, data []byte, want treetest.Tree) {
	t.Helper()
	upper := unpack(t, data, lower)
	mounted(t, rootfs.Spec{Lower: []string{upper, lower}}, func(dir string) { treetest.EqualTrees(t, treetest.Read(t, dir), want) })

	plain := t.TempDir()
	p := layer.NewPlain(open(t, plain), layer.Options{})
	for _, l := range [][]byte{base, data} {
		if err := p.Apply(t.Context(), bytes.NewReader(l)); err != nil {
			t.Fatal(err)
		}
	}
	treetest.EqualTrees(t, treetest.Read(t, plain), want)

	byPaths := t.TempDir()
	treetest.Apply(t, byPaths, base)
	treetest.Apply(t, byPaths, data)
	treetest.EqualTrees(t, treetest.Read(t, byPaths), want)

	if again := layerOf(t, Directory(byPaths), Directory(plain), Options{}); len(again) > 1024 {
		t.Errorf("two trees unpacked from the same layers differ: %s", names(t, again))
	}
}

// checkExport unpacks a whole tree.
func checkExport(t *testing.T, from Source, want treetest.Tree) {
	t.Helper()
	var out bytes.Buffer
	if err := Export(t.Context(), &out, from, Options{}); err != nil {
		t.Fatal(err)
	}
	exported := t.TempDir()
	gnuTar(t, exported, out.Bytes())
	treetest.EqualTrees(t, treetest.Read(t, exported), want)
}
