package diff

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/internal/tree"
	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/conformance/treetest"
)

// item makes items that belong to whoever runs the test.
func own(items ...treetest.Item) []treetest.Item {
	for i := range items {
		items[i] = items[i].Owner(os.Getuid(), os.Getgid())
	}
	return items
}

// dir makes a tree.
func dir(t *testing.T, items ...treetest.Item) string {
	t.Helper()
	d := t.TempDir()
	treetest.Make(t, d, append(own(treetest.Dir(".")), own(items...)...)...)
	return d
}

// names are the entries of a layer: their names, with what a link leads to and
// a file's content.
func names(t *testing.T, data []byte) string {
	t.Helper()
	var all []string
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return strings.Join(all, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(io.LimitReader(r, 1<<20))
		if err != nil {
			t.Fatal(err)
		}
		name := h.Name
		switch {
		case h.Linkname != "":
			name += "->" + h.Linkname
		case len(body) > 0:
			name += "=" + string(body)
		}
		all = append(all, name)
	}
}

// layerOf is the layer between two trees.
func layerOf(t *testing.T, old, new Source, o Options) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Layer(t.Context(), &out, old, new, o); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestLayerOfTwoTrees(t *testing.T) {
	file, sub, link := treetest.File, treetest.Dir, treetest.Link
	base := func() []treetest.Item {
		return []treetest.Item{sub("d"), sub("d/e"), file("d/e/f", "1"), file("d/g", "2"), treetest.Symlink("s", "d"), file("z", "3")}
	}
	tests := []struct {
		name string
		old  []treetest.Item
		new  []treetest.Item
		want string
	}{
		{"equal", base(), base(), ""},
		{"content", base(), append(base(), file("d/e/f", "9")), "d/ d/e/ d/e/f=9"},
		{"content of the same length and time", base(), append(base(), file("z", "9")), "z=9"},
		{"mode of a directory", base(), append(base(), sub("d/e").Mode(0o700)), "d/ d/e/"},
		{"mode of the root", base(), append(base(), sub(".").Mode(0o711)), "./"},
		{"xattr", base(), append(base(), file("z", "3").Xattr("user.k", "v")), "z=3"},
		{"time", base(), append(base(), file("z", "3").At(treetest.Epoch.Add(1))), "z=3"},
		{"removed", base(), base()[:4], ".wh.s .wh.z"},
		{"removed directory", base(), slices.Delete(base(), 1, 3), "d/ d/.wh.e"},
		{"removed first, then the rest in order", base(), append(slices.Delete(base(), 3, 4), file("d/a", "5"), file("d/h", "6")), "d/ d/.wh.g d/a=5 d/h=6"},
		{"directory to file", base(), append(slices.Delete(base(), 1, 3), file("d/e", "5")), "d/ d/e=5"},
		{"file to directory", base(), append(base()[:5], sub("z"), file("z/y", "5")), "z/ z/y=5"},
		{"target of a link", base(), append(slices.Delete(base(), 4, 5), treetest.Symlink("s", "e")), "s->e"},
		{"a new hard link takes all names", base(), append(base(), link("zz", "z")), "z=3 zz->z"},
		{"hard links as before", append(base(), link("zz", "z")), append(base(), link("zz", "z")), ""},
		{"one of the hard links removed", append(base(), link("zz", "z"), link("zzz", "z")), append(base(), link("zz", "z")), ".wh.zzz"},
		{"hard links come apart", append(base(), link("zz", "z")), append(base(), file("zz", "3")), "z=3 zz=3"},
		{"hard links come together", append(base(), file("zz", "3")), append(base(), link("zz", "z")), "z=3 zz->z"},
		{"one of the hard links changes", append(base(), link("zz", "z")), append(base(), link("zz", "z"), file("z", "7")), "z=7 zz->z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			old, new := Directory(dir(t, test.old...)), Directory(dir(t, test.new...))
			got := names(t, layerOf(t, old, new, Options{}))
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestLayerOfAWritableLayer(t *testing.T) {
	needs.Root(t, "it makes the whiteouts and marks of overlayfs")
	lower := dir(t, treetest.Dir("d"), treetest.File("d/a", "1"), treetest.File("d/b", "2"), treetest.File("f", "3"), treetest.Dir("e"), treetest.File("e/x", ""))
	const origin, opaque = "trusted.overlay.origin", "trusted.overlay.opaque"
	for _, marks := range []tree.Marks{tree.Trusted, tree.User} {
		hidden := string(marks) + "opaque"
		upper := dir(t,
			treetest.Dir("d").Xattr(hidden, "y").Xattr(origin, "x").Xattr(string(marks)+"impure", "y"), treetest.File("d/b", "9").Xattr(string(marks)+"origin", "x"),
			treetest.CharDevice("f", 0, 0), treetest.Dir("e").Xattr(hidden, "x"), treetest.File("e/x", "").Xattr(string(marks)+"whiteout", "y"),
			treetest.Dir("n").Xattr(hidden, "y"), treetest.Link("n/l", "d/b"))
		data := layerOf(t, Layers(marks == tree.User, lower), Layers(marks == tree.User, upper, lower), Options{})
		if got, want := names(t, data), ".wh.f d/ d/.wh.a d/b=9 e/ e/.wh.x n/ n/l->d/b"; got != want {
			t.Errorf("%s: got  %s\nwant %s", marks, got, want)
		}
		if bytes.Contains(data, []byte("overlay")) {
			t.Errorf("%s: the layer holds an attribute of overlayfs", marks)
		}
		data = layerOf(t, Source{}, Layers(marks == tree.User, upper), Options{})
		if got, want := names(t, data), "./ d/ d/b=9 e/ n/ n/l->d/b"; got != want {
			t.Errorf("%s, nothing below: got  %s\nwant %s", marks, got, want)
		}
	}
	// A container may set these itself, where the mount uses the others.
	upper := dir(t, treetest.Dir("d").Xattr("user.overlay.opaque", "y").Xattr("user.overlay.redirect", "/etc"))
	data := layerOf(t, Layers(false, lower), Layers(false, upper, lower), Options{})
	if got := names(t, data); got != "" || bytes.Contains(data, []byte("overlay")) {
		t.Errorf("with a container's own marks: got %s", got)
	}
}

func TestRedirectsAreRefused(t *testing.T) {
	needs.Root(t, "it makes the marks of overlayfs")
	for _, mark := range []string{"redirect", "metacopy"} {
		upper := dir(t, treetest.File("f", "").Xattr("trusted.overlay."+mark, "/x"))
		err := Layer(t.Context(), io.Discard, Source{}, Layers(false, upper), Options{})
		if !errors.Is(err, tree.ErrMark) || !strings.Contains(err.Error(), "redirect_dir") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v", mark, err)
		}
	}
}

func TestLayerRefuses(t *testing.T) {
	for _, item := range []treetest.Item{treetest.File(".wh.f", ""), treetest.Dir("a/.wh..wh..opq")} {
		err := Layer(t.Context(), io.Discard, Source{}, Directory(dir(t, item)), Options{})
		if !errors.Is(err, ErrWhiteoutName) {
			t.Errorf("%s: got %v", item.Header.Name, err)
		}
	}
	if err := Layer(t.Context(), io.Discard, Source{}, Source{}, Options{}); err == nil || !strings.Contains(err.Error(), "no tree") {
		t.Errorf("nothing: got %v", err)
	}
	gone := Options{UIDs: []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1 << 30, Size: 1}}}
	if err := Export(t.Context(), io.Discard, Directory(dir(t)), gone); err == nil || !strings.Contains(err.Error(), "no user for the id") {
		t.Errorf("an owner who is not mapped: got %v", err)
	}
	link := filepath.Join(t.TempDir(), "l")
	if err := os.Symlink("/", link); err != nil {
		t.Fatal(err)
	}
	if err := Export(t.Context(), io.Discard, Directory(link), Options{}); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("a link: got %v", err)
	}
}

func TestOptions(t *testing.T) {
	needs.Root(t, "it makes files of others")
	d := t.TempDir()
	const caps3 = "\x01\x00\x00\x03\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xa0\x86\x01\x00" // root 100000
	treetest.Make(t, d, treetest.Dir(".").Owner(100000, 200000), treetest.File("f", "").Owner(100007, 200008).Xattr("user.a=b", "v").Xattr("security.capability", caps3),
		treetest.File("out", ""), treetest.Dir("skip"), treetest.File("skip/f", ""))
	if err := unix.Mknod(d+"/socket", unix.S_IFSOCK|0o600, 0); err != nil {
		t.Fatal(err)
	}
	skipped := map[string]string{}
	data := layerOf(t, Source{}, Directory(d), Options{
		UIDs:    []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 10}},
		GIDs:    []specs.LinuxIDMapping{{ContainerID: 5, HostID: 200000, Size: 10}},
		Exclude: func(p string) bool { return p == "skip" || p == "out" },
		Skipped: func(p, what string) { skipped[p] = what },
	})
	if got := names(t, data); got != "./ f" {
		t.Errorf("got %s", got)
	}
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err != nil {
			break
		}
		if h.Name == "f" {
			caps := h.PAXRecords["SCHILY.xattr.security.capability"]
			if h.Uid != 7 || h.Gid != 13 || caps != "\x01\x00\x00\x02"+caps3[4:20] {
				t.Errorf("f has %d:%d and capabilities %q", h.Uid, h.Gid, caps)
			}
		}
	}
	if got := slices.Sorted(maps.Keys(skipped)); strings.Join(got, " ") != "f socket" {
		t.Errorf("skipped %v", skipped)
	}
}

func TestChanges(t *testing.T) {
	old := dir(t, treetest.Dir("d"), treetest.File("d/a", "1"), treetest.File("d/b", "1"), treetest.File("e", ""))
	new := dir(t, treetest.Dir("d"), treetest.File("d/a", "2"), treetest.Dir("n"), treetest.File("n/f", ""))
	got, err := Changes(t.Context(), Directory(old), Directory(new), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(got); text != "[{D e} {D d/b} {C d/a} {A n} {A n/f}]" {
		t.Errorf("got %s", text)
	}
}

func TestLayerIsDeterministic(t *testing.T) {
	items := []treetest.Item{treetest.Dir("b"), treetest.File("b/x", "1").Xattr("user.k", "v").Xattr("user.a", "w"), treetest.File("a", "2"), treetest.Link("c", "a"), treetest.Symlink("é", "b")}
	first := layerOf(t, Source{}, Directory(dir(t, items...)), Options{})
	items = append(items[2:], items[:2]...)
	if again := layerOf(t, Source{}, Directory(dir(t, items...)), Options{}); !bytes.Equal(first, again) {
		t.Error("the same tree, made in another order, gives other bytes")
	}
}
