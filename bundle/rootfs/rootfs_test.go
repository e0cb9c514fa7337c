package rootfs

import (
	"archive/tar"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/internal/tree"
	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/conformance/treetest"
)

// needMounts skips a test that mounts, where the user may not. In the user
// namespace of TestInUserNamespace it runs.
func needMounts(t *testing.T) {
	t.Helper()
	needs.Root(t, "it mounts overlays")
}

// userxattr says whether this process is in the user namespace of
// TestInUserNamespace.
var userxattr = os.Getenv(inNamespaceVar) != ""

// layerDirs makes n empty layers, the nearest first.
func layerDirs(t *testing.T, n int) []string {
	t.Helper()
	dir := t.TempDir()
	var dirs []string
	for i := range n {
		d := filepath.Join(dir, fmt.Sprint(i))
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, d)
	}
	return dirs
}

// spec is an overlay of layers, and with a writable one where that is wanted.
func spec(t *testing.T, lower []string, writable bool) Spec {
	t.Helper()
	s := Spec{Lower: lower, Target: t.TempDir(), Userxattr: userxattr}
	if writable {
		w, err := MakeWritable(filepath.Join(t.TempDir(), "w"), userxattr, lower)
		if err != nil {
			t.Fatal(err)
		}
		s.Upper, s.Work = w.Upper(), w.Work()
	}
	return s
}

// mount mounts, and unmounts when the test ends.
func mount(t *testing.T, s Spec) {
	t.Helper()
	if err := Mount(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Unmount(s.Target); err != nil {
			t.Error(err)
		}
	})
}

// whiteout is the item that overlayfs takes for a name that is gone.
func whiteout(name string) treetest.Item { return treetest.CharDevice(name, 0, 0).Mode(0) }

// opaque is an item of a directory that hides what is below it.
func opaque(i treetest.Item) treetest.Item {
	return i.Xattr(string(marks(userxattr))+"opaque", "y")
}

// randomLayers fills layers with a few names in a few directories, so that they
// meet in every way. A whiteout is only where it hides something: otherwise
// overlayfs lists a name that is not there, and package layer makes none.
func randomLayers(t *testing.T, random *rand.Rand, layers []string) {
	t.Helper()
	for i, l := range slices.Backward(layers) {
		below := treetest.Tree{}
		if i+1 < len(layers) {
			merged := t.TempDir()
			if err := Plain(t.Context(), PlainSpec{Lower: layers[i+1:], Target: merged, Userxattr: userxattr}); err != nil {
				t.Fatal(err)
			}
			below = treetest.Read(t, merged)
		}
		treetest.Make(t, l, dropPhantoms(randomItems(random), below)...)
	}
}

// dropPhantoms leaves out the whiteouts of names that are not below, or are
// hidden already.
func dropPhantoms(items []treetest.Item, below treetest.Tree) []treetest.Item {
	hidden := map[string]bool{}
	return slices.DeleteFunc(items, func(i treetest.Item) bool {
		name := i.Header.Name
		_, there := below[name]
		hidden[name] = hidden[filepath.Dir(name)] || !there || len(i.Header.PAXRecords) > 0
		isWhiteout := i.Header.Typeflag == tar.TypeChar
		return isWhiteout && (!there || hidden[filepath.Dir(name)])
	})
}

// randomItems are the entries of one layer.
func randomItems(random *rand.Rand) []treetest.Item {
	items := []treetest.Item{treetest.Dir(".").Mode(0o755 &^ random.Int63n(8))}
	var fill func(dir string, depth int)
	fill = func(dir string, depth int) {
		var files []string
		for _, name := range []string{"a", "b", "c", "d", "é"} {
			at := filepath.Join(dir, name)
			switch kind := random.Intn(12); {
			case kind < 4 && depth < 3:
				d := treetest.Dir(at).Mode(0o700 | random.Int63n(0o100))
				if random.Intn(4) == 0 {
					d = opaque(d)
				}
				items = append(items, d.Owner(random.Intn(3), random.Intn(3)))
				fill(at, depth+1)
			case kind < 6:
				items = append(items, treetest.File(at, fmt.Sprint(random.Int())).Owner(random.Intn(3), 0).Mode(0o4000|random.Int63n(0o1000)).Xattr("user.x", name))
				files = append(files, at)
			case kind == 6 && len(files) > 0:
				items = append(items, treetest.Link(at, files[random.Intn(len(files))]))
			case kind == 7:
				items = append(items, treetest.Symlink(at, []string{"../a", "/etc", "b"}[random.Intn(3)]).Owner(1, 2))
			case kind == 8:
				items = append(items, treetest.Fifo(at).Mode(0o1777))
			case kind == 9 && depth > 0:
				items = append(items, whiteout(at))
			}
		}
	}
	fill("", 0)
	return items
}

func TestPlainEqualsOverlay(t *testing.T) {
	needMounts(t)
	for seed := range int64(16) {
		layers := layerDirs(t, 1+int(seed)%5)
		randomLayers(t, rand.New(rand.NewSource(seed)), layers)
		s := spec(t, layers, false)
		mount(t, s)
		plain := t.TempDir()
		if err := Plain(t.Context(), PlainSpec{Lower: layers, Target: plain, Userxattr: userxattr}); err != nil {
			t.Fatal(err)
		}
		if len(treetest.Read(t, plain)) < 4 {
			t.Logf("seed %d makes hardly a file", seed)
		}
		treetest.Equal(t, plain, s.Target)
		if t.Failed() {
			t.Fatalf("with the seed %d", seed)
		}
	}
}

func TestPlainKeepsWhatIsRare(t *testing.T) {
	needMounts(t)
	layers := layerDirs(t, 2)
	const caps = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	treetest.Make(t, layers[1],
		treetest.CharDevice("null", 1, 3).Owner(3, 4), treetest.BlockDevice("disk", 7, 300),
		treetest.File("ping", "x").Mode(0o755).Owner(5, 6).Xattr("security.capability", caps).Xattr("trusted.k", "v"),
		treetest.Symlink("l", "x").Xattr("trusted.k", "v"))
	plain := t.TempDir()
	if err := Plain(t.Context(), PlainSpec{Lower: layers, Target: plain}); err != nil {
		t.Fatal(err)
	}
	treetest.Equal(t, plain, layers[1], treetest.IgnorePath("."))
}

func TestPlainKeepsHoles(t *testing.T) {
	layers := layerDirs(t, 1)
	name := filepath.Join(layers[0], "sparse")
	if err := os.WriteFile(name, []byte("begin"), 0o600); err != nil {
		t.Fatal(err)
	}
	const size = 1 << 43
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte("end"), size/2)
	if err := errors.Join(err, f.Truncate(size), f.Close()); err != nil {
		t.Fatal(err)
	}
	for _, way := range []copier{{}, {noReflink: true}, {noReflink: true, noCopyRange: true}} {
		plain := t.TempDir()
		if err := plainWith(t, layers[0], plain, &way); err != nil {
			t.Fatal(err)
		}
		treetest.Equal(t, plain, layers[0])
		if blocks := treetest.Read(t, plain)["sparse"].Blocks; blocks > 1024 {
			t.Errorf("%+v: the copy has %d blocks", way, blocks)
		}
	}
}

// plainWith is Plain of one layer with a copier that knows what does not work.
func plainWith(t *testing.T, layer, target string, way *copier) error {
	t.Helper()
	view, err := tree.OpenView(marks(userxattr), layer)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	to, err := tree.Open(target)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	m := merger{ctx: t.Context(), links: map[inode]place{}, data: way}
	return m.directory(view.Root(), to)
}

func TestPlainRefuses(t *testing.T) {
	layers := layerDirs(t, 1)
	if err := os.Mkdir(layers[0]+"/d", 0o700); err != nil {
		t.Fatal(err)
	}
	full := t.TempDir()
	if err := os.WriteFile(full+"/f", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Plain(t.Context(), PlainSpec{Lower: layers, Target: full}); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("a target that is not empty: got %v", err)
	}
	if err := Plain(t.Context(), PlainSpec{Target: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "no layers") {
		t.Errorf("without layers: got %v", err)
	}
	mark := string(marks(true)) + "redirect"
	if err := unix.Setxattr(layers[0]+"/d", mark, []byte("/elsewhere"), 0); err != nil {
		t.Fatal(err)
	}
	if err := Plain(t.Context(), PlainSpec{Lower: layers, Target: t.TempDir(), Userxattr: true}); !errors.Is(err, tree.ErrMark) {
		t.Errorf("a redirected directory: got %v", err)
	}
}

func TestDeepTree(t *testing.T) {
	const depth = 1500
	layers := layerDirs(t, 1)
	makeDeep(t, layers[0], depth)
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.Mkdir(plain, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Plain(t.Context(), PlainSpec{Lower: layers, Target: plain}); err != nil {
		t.Fatal(err)
	}
	treetest.Equal(t, plain, layers[0])
	for _, dir := range append(layers, plain) {
		if err := Remove(dir); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	}
}

// makeDeep makes directories in one another, some with a linked file or one
// directory more.
func makeDeep(t *testing.T, dir string, depth int) {
	t.Helper()
	at, err := tree.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	root := at
	for i := range depth {
		fd, err := at.FD()
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			err = unix.Mknodat(fd, "file", unix.S_IFREG|0o600, 0)
		} else if i%100 == 0 {
			err = root.With(func(rootFD int) error { return unix.Linkat(rootFD, "file", fd, "link", 0) })
		}
		if i%10 == 0 {
			err = errors.Join(err, unix.Mkdirat(fd, "e", 0o755))
		}
		if err := errors.Join(err, unix.Mkdirat(fd, "d", 0o755)); err != nil {
			t.Fatal(err)
		}
		if at, err = at.Sub("d"); err != nil {
			t.Fatal(err)
		}
	}
}
