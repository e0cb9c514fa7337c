package libcontainer

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// tree makes files by their paths: an empty value is a regular file, "/" a
// directory, "|" a FIFO, "@" a socket, anything else a link to it.
func tree(t *testing.T, dir string, entries map[string]string) *os.File {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(dir, 0o755))
	for name, kind := range entries {
		path := filepath.Join(dir, name)
		must(os.MkdirAll(filepath.Dir(path), 0o700))
		switch kind {
		case "":
			must(os.WriteFile(path, nil, 0o600))
		case "/":
			must(os.MkdirAll(path, 0o700))
		case "|":
			must(unix.Mkfifo(path, 0o600))
		case "@":
			must(unix.Mknod(path, unix.S_IFSOCK|0o600, 0))
		default:
			must(os.Symlink(kind, path))
		}
	}
	f, err := openDir(dir)
	must(err)
	t.Cleanup(func() { f.Close() })
	return f
}

// Only regular files are read as an image, its parents' too.
func TestCheckImages(t *testing.T) {
	for _, c := range []struct {
		name          string
		image, parent map[string]string
		want          string
	}{
		{"files", map[string]string{"pages-1.img": "", "inventory.img": ""}, nil, ""},
		{"a directory", map[string]string{"sub": "/"}, nil, "sub is not a regular file"},
		{"a working directory", map[string]string{"pages-1.img": "", "work": "/"}, nil, ""},
		{"a link to a file of the host", map[string]string{"pages-1.img": "/etc/shadow"}, nil, "pages-1.img is not a regular file"},
		{"a FIFO", map[string]string{"inventory.img": "|"}, nil, "inventory.img is not a regular file"},
		{"criu's socket", map[string]string{"lazy-pages.socket": "@"}, nil, ""},
		{"another socket", map[string]string{"x": "@"}, nil, "x is not a regular file"},
		{"a parent", map[string]string{"parent": "../parent"}, map[string]string{"pages-1.img": ""}, ""},
		{"a link in a parent", map[string]string{"parent": "../parent"}, map[string]string{"pages-1.img": "/etc/shadow"}, "pages-1.img is not a regular file"},
		{"a parent somewhere", map[string]string{"parent": "/etc"}, nil, "it leads to an absolute path"},
		{"a parent that is its own", map[string]string{"parent": "."}, nil, "more than 64 parents"},
		{"a parent that is a directory", map[string]string{"parent/pages-1.img": ""}, nil, ""},
		{"a link in such a parent", map[string]string{"parent/pages-1.img": "/etc/shadow"}, nil, "pages-1.img is not a regular file"},
		{"a link in the parent of such a parent", map[string]string{"parent/parent/pages-1.img": "/etc/shadow"}, nil, "pages-1.img is not a regular file"},
		{"a directory in such a parent", map[string]string{"parent/sub/x": ""}, nil, "sub is not a regular file"},
		{"a parent within", map[string]string{"parent": "pre", "pre/pages-1.img": ""}, nil, ""},
		{"a link in a parent within", map[string]string{"parent": "pre", "pre/pages-1.img": "/etc/shadow"}, nil, "pages-1.img is not a regular file"},
		{"a parent that is a file", map[string]string{"parent": ""}, nil, "not a directory"},
		{"a parent by way of a link", map[string]string{"parent": "../latest"}, map[string]string{"pages-1.img": "/etc/shadow"}, "pages-1.img is not a regular file"},
		{"a relative link out to the host", map[string]string{"parent": strings.Repeat("../", 20) + "etc"}, nil, "is not a regular file"},
		{"a link into a process", map[string]string{"parent": strings.Repeat("../", 20) + "proc/self/cwd"}, nil, "too many levels of symbolic links"},
		{"no parent there", map[string]string{"parent": "../nowhere"}, nil, "no such file or directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			tree(t, filepath.Join(dir, "parent"), c.parent)
			if err := os.Symlink("parent", filepath.Join(dir, "latest")); err != nil {
				t.Fatal(err)
			}
			image := tree(t, filepath.Join(dir, "image"), c.image)
			work, _ := openDir(filepath.Join(dir, "image", "work"))
			defer sys.CloseAll([]*os.File{work})
			err := checkImages(image, work)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// What is checked is the directory that criu is given, not what has its name by
// now.
func TestCheckImagesThatWasExchanged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "image")
	image := tree(t, path, map[string]string{"pages-1.img": "/etc/shadow"})
	if err := os.Rename(path, filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	tree(t, path, nil)
	if err := checkImages(image, nil); err == nil || !strings.Contains(err.Error(), "pages-1.img is not a regular file") {
		t.Errorf("got %v", err)
	}
}

// The file that says which pipes there were is not believed further than that.
func TestReadPipes(t *testing.T) {
	long := `["pipe:[1]", "` + strings.Repeat("x", maxDescriptors) + `"]`
	for _, c := range []struct {
		name, content string
		want          map[int]string
		fails         bool
	}{
		{"pipes", `["pipe:[10]","/dev/null","pipe:[12]"]`, map[int]string{0: "pipe:[10]", 2: "pipe:[12]"}, false},
		{"none", noPipes, map[int]string{}, false},
		{"what is no pipe", `["extRootNetNS","pipe:[x]","a pipe:[1]"]`, map[int]string{}, false},
		{"more than there are streams", `["","","","pipe:[1]"]`, map[int]string{}, false},
		{"no array", `{"0": "pipe:[1]"}`, nil, true},
		{"too large", long, nil, true},
		{"nothing", ``, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := tree(t, t.TempDir(), nil)
			if err := os.WriteFile(filepath.Join(dir.Name(), descriptorsFile), []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := readPipes(dir)
			if (err != nil) != c.fails || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestReadPipesFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	elsewhere := filepath.Join(dir, "elsewhere")
	if err := os.WriteFile(elsewhere, []byte(`["pipe:[1]","",""]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{elsewhere, "|", "/"} {
		if got, err := readPipes(tree(t, t.TempDir(), map[string]string{descriptorsFile: kind})); err == nil {
			t.Errorf("%s: got %v", kind, got)
		}
	}
}

// criu opens its log for writing, and follows links: none may be left where the
// log is going to be.
func TestOpenWorkTakesLinksAway(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("whole"), 0o600); err != nil {
		t.Fatal(err)
	}
	images := tree(t, t.TempDir(), map[string]string{restoreLog: victim, restoreStats: victim, "other": victim})
	d := &imageDirs{images: images}
	if err := d.openWork(&ImageOptions{}, restoreLog, restoreStats); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(images.Name())
	if err != nil || len(entries) != 1 || entries[0].Name() != "other" {
		t.Errorf("left: %v, %v", entries, err)
	}
	if err := writeImageFile(images, "other", []byte("new")); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(victim); err != nil || string(data) != "whole" {
		t.Errorf("the victim is %q, %v", data, err)
	}
}

func TestPipes(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if got := pipes([3]*os.File{null, nil, null}); got != nil {
		t.Errorf("no pipe: got %s", got)
	}
	name, err := os.Readlink("/proc/self/fd/" + decimal(w))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(pipes([3]*os.File{null, w, nil})), `["","`+name+`",""]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Whatever the file says, only standard streams and pipes come out.
func FuzzReadPipes(f *testing.F) {
	for _, seed := range []string{noPipes, `["pipe:[10]","/dev/null","pipe:[12]"]`, `{}`, `[1]`, `["pipe:[99999999999]"]`} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	images, err := openDir(dir)
	if err != nil {
		f.Fatal(err)
	}
	defer images.Close()
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, descriptorsFile), content, 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := readPipes(images)
		for fd, name := range found {
			if err != nil || fd > 2 || !regexp.MustCompile(`^pipe:\[[0-9]+\]$`).MatchString(name) {
				t.Errorf("%q: %d is %q, %v", content, fd, name, err)
			}
		}
	})
}
