package treecopy

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// tree makes files below a directory: "dir/", "file=content", "link->target".
func tree(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		name, content, isFile := strings.Cut(f, "=")
		link, target, isLink := strings.Cut(f, "->")
		var err error
		switch {
		case isLink:
			err = os.Symlink(target, filepath.Join(dir, link))
		case isFile:
			err = os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644)
		default:
			err = os.MkdirAll(filepath.Join(dir, f), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// list is what is below a directory, as tree takes it.
func list(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		switch {
		case err != nil || name == ".":
			return err
		case d.IsDir():
			files = append(files, name+"/")
		case d.Type() == fs.ModeSymlink:
			target, _ := os.Readlink(path)
			files = append(files, name+"->"+target)
		case d.Type().IsRegular():
			data, _ := os.ReadFile(path)
			files = append(files, name+"="+string(data))
		default:
			files = append(files, name+"?")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// inside is a container's place.
func inside(t *testing.T, dir string) Place {
	t.Helper()
	root, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return Place{Root: root, Confined: true}
}

func host(t *testing.T) Place {
	t.Helper()
	p, err := Host()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Root.Close() })
	return p
}

// TestRules are those of docker cp, into a container and out of it.
func TestRules(t *testing.T) {
	source := []string{"dir/", "dir/sub/", "dir/sub/f=1", "dir/l->sub", "file=2", "link->dir", "tolink->file", "gone->nothing"}
	for _, tt := range []struct {
		name     string
		src, dst string
		there    []string // in the destination
		o        Options
		want     string // afterwards, or of the error
	}{
		{"file to nothing", "/file", "/new", nil, Options{}, "new=2"},
		{"file to nothing in nothing", "/file", "/no/new", nil, Options{}, "no such file or directory"},
		{"file to a directory that is missing", "/file", "/new/", nil, Options{}, "the destination directory must exist"},
		{"file to a file", "/file", "/old", []string{"old=a longer text"}, Options{}, "old=2"},
		{"file to a file with a slash", "/file", "/old/", []string{"old=1"}, Options{}, "not a directory"},
		{"file to a directory", "/file", "/d", []string{"d/"}, Options{}, "d/ d/file=2"},
		{"file to the root", "/file", "/", nil, Options{}, "file=2"},
		{"relative paths", "file", "d", []string{"d/"}, Options{}, "d/ d/file=2"},
		{"file to a link to a file", "/file", "/l", []string{"old=text", "l->old"}, Options{}, "l->old old=2"},
		{"file to a link to a directory", "/file", "/l", []string{"d/", "l->d"}, Options{}, "d/ d/file=2 l->d"},
		{"file over a directory", "/file", "/d", []string{"d/", "d/file/"}, Options{}, "cannot overwrite directory"},
		{"directory to nothing", "/dir", "/new", nil, Options{}, "new/ new/l->sub new/sub/ new/sub/f=1"},
		{"directory to a directory", "/dir", "/d", []string{"d/"}, Options{}, "d/ d/dir/ d/dir/l->sub d/dir/sub/ d/dir/sub/f=1"},
		{"directory over one", "/dir", "/", []string{"dir/", "dir/sub/", "dir/sub/other=3"}, Options{}, "dir/ dir/l->sub dir/sub/ dir/sub/f=1 dir/sub/other=3"},
		{"directory to a file", "/dir", "/old", []string{"old=1"}, Options{}, "cannot copy a directory to a file"},
		{"directory over a file", "/dir", "/d", []string{"d/", "d/dir=1"}, Options{}, "cannot overwrite non-directory"},
		{"content of a directory", "/dir/.", "/d", []string{"d/"}, Options{}, "d/ d/l->sub d/sub/ d/sub/f=1"},
		{"content of a directory to nothing", "/dir/.", "/new", nil, Options{}, "new/ new/l->sub new/sub/ new/sub/f=1"},
		{"content of a file", "/file/.", "/new", nil, Options{}, "not a directory"},
		{"link", "/link", "/d", []string{"d/"}, Options{}, "d/ d/link->dir"},
		{"link that leads nowhere", "/gone", "/d", []string{"d/"}, Options{}, "d/ d/gone->nothing"},
		{"link, followed", "/tolink", "/d", []string{"d/"}, Options{Follow: true}, "d/ d/tolink=2"},
		{"link to a directory with a slash", "/link/", "/d", []string{"d/"}, Options{}, "d/ d/link/ d/link/l->sub d/link/sub/ d/link/sub/f=1"},
		{"through a link", "/link/sub/f", "/d", []string{"d/"}, Options{}, "d/ d/f=1"},
		{"nothing", "/nothing", "/d", nil, Options{}, "no such file or directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, into := range []bool{true, false} {
				src, dst := tree(t, source...), tree(t, tt.there...)
				from, to, srcPath, dstPath := host(t), inside(t, dst), src+"/"+tt.src, tt.dst
				if !into {
					from, to, srcPath, dstPath = inside(t, src), host(t), tt.src, dst+"/"+tt.dst
				}
				_, err := Copy(t.Context(), from, srcPath, to, dstPath, tt.o)
				got := strings.Join(list(t, dst), " ")
				if err != nil {
					got = err.Error()
				}
				if err == nil && got != tt.want || err != nil && !strings.Contains(got, tt.want) {
					t.Errorf("into a container %v: got %q, want %q", into, got, tt.want)
				}
			}
		})
	}
}

// Links of a container lead to its own files, wherever they point, and what is
// on the host is neither read nor changed.
func TestContainerLinksStayInside(t *testing.T) {
	canary := tree(t, "secret=host", "dir/")
	if err := os.Chmod(canary+"/dir", 0o700); err != nil {
		t.Fatal(err)
	}
	files := []string{"abs->" + canary, "up->../../../../../../../../.." + canary, "f->" + canary + "/secret", "d->" + canary + "/dir", "magic->/proc/self/root"}
	for _, path := range []string{"/abs/secret", "/up/secret", "/f", "/magic" + canary + "/secret", "/../.." + canary + "/secret"} {
		if n, err := Copy(t.Context(), inside(t, tree(t, files...)), path, host(t), t.TempDir(), Options{Follow: true}); err == nil {
			t.Errorf("%s: %d bytes were copied", path, n)
		}
	}
	for _, path := range []string{"/abs/new", "/up/secret", "/f", "/d", "/d/new", "/magic" + canary + "/secret"} {
		source := tree(t, "file=evil")
		_, err := Copy(t.Context(), host(t), source+"/file", inside(t, tree(t, files...)), path, Options{})
		t.Logf("%s: %v", path, err)
	}
	if got := list(t, canary); !slices.Equal(got, []string{"dir/", "secret=host"}) {
		t.Errorf("the host's files are %q", got)
	}
	if fi, err := os.Stat(canary + "/dir"); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("the host's directory: %v, %v", fi.Mode(), err)
	}
}

// What a container has below a directory never leads a copy to the host astray,
// nor does what is there already.
func TestHostLinksAreNotFollowed(t *testing.T) {
	canary := tree(t, "secret=host")
	dst := tree(t, "dir->"+canary)
	_, err := Copy(t.Context(), inside(t, tree(t, "dir/", "dir/secret=evil")), "/dir", host(t), dst, Options{})
	if err == nil || !strings.Contains(err.Error(), "cannot overwrite non-directory") {
		t.Errorf("got %v", err)
	}
	if got := list(t, canary); !slices.Equal(got, []string{"secret=host"}) {
		t.Errorf("the host's files are %q", got)
	}
}

// archive is one of headers; a regular file's content is its link's name.
func archive(t *testing.T, headers ...tar.Header) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		content := ""
		if h.Typeflag == tar.TypeReg {
			content, h.Linkname = h.Linkname, ""
		}
		h.Size = int64(len(content))
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func file(name, content string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, Linkname: content}
}

func TestArchives(t *testing.T) {
	canary := tree(t, "secret=host")
	link := func(kind byte, name, target string) tar.Header {
		return tar.Header{Name: name, Typeflag: kind, Linkname: target}
	}
	for _, tt := range []struct {
		name    string
		headers []tar.Header
		want    string // below /d, or of the error
	}{
		{"without directories", []tar.Header{file("a/b/c", "1"), file("./a/d", "2")}, "a/ a/b/ a/b/c=1 a/d=2"},
		{"twice", []tar.Header{file("a", "1"), file("a", "22")}, "a=22"},
		{"absolute", []tar.Header{file("/a", "1")}, "a=1"},
		{"up", []tar.Header{file("a/../../b", "1")}, "its path has a .."},
		{"itself", []tar.Header{{Name: "./", Typeflag: tar.TypeDir}, file("a", "1")}, "a=1"},
		{"through a link of its own", []tar.Header{link(tar.TypeSymlink, "l", canary), file("l/secret", "evil")}, ""},
		{"through a link inside", []tar.Header{{Name: "x/", Typeflag: tar.TypeDir}, link(tar.TypeSymlink, "l", "/d/x"), file("l/f", "1")}, "l->/d/x x/ x/f=1"},
		{"over a link", []tar.Header{link(tar.TypeSymlink, "l", canary+"/secret"), file("l", "1")}, "l=1"},
		{"other name", []tar.Header{file("a", "1"), link(tar.TypeLink, "b", "a")}, "a=1 b=1"},
		{"other name of what is outside", []tar.Header{link(tar.TypeLink, "b", "../"+canary+"/secret")}, "its path has a .."},
		{"other name of what is not there", []tar.Header{link(tar.TypeLink, "b", canary+"/secret")}, "no such file"},
		{"unknown type", []tar.Header{{Name: "a", Typeflag: 'Z'}}, "are not known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := tree(t, "d/")
			_, err := Unpack(archive(t, tt.headers...), inside(t, root), "/d", Options{})
			got := strings.Join(list(t, root+"/d"), " ")
			if err != nil {
				got = err.Error()
			}
			if tt.want != "" && (err == nil && got != tt.want || !strings.Contains(got, tt.want)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := list(t, canary); !slices.Equal(got, []string{"secret=host"}) {
				t.Errorf("the host's files are %q", got)
			}
		})
	}
	if _, err := Unpack(archive(t), inside(t, tree(t, "f=1")), "/f", Options{}); err == nil {
		t.Error("an archive is unpacked into a file")
	}
	if _, err := Unpack(strings.NewReader("no archive"), inside(t, tree(t)), "/", Options{}); err == nil {
		t.Error("a text is taken for an archive")
	}
}

func TestPack(t *testing.T) {
	src := tree(t, "dir/", "dir/a=1", "dir/b->a")
	if err := os.Link(src+"/dir/a", src+"/dir/c"); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/dir": "dir/ dir/a dir/b dir/c", "/dir/.": "a b c", "/dir/a": "a", "/": "dir/ dir/a dir/b dir/c"} {
		var b bytes.Buffer
		if _, err := Pack(&b, inside(t, src), path, Options{}); err != nil {
			t.Fatal(err)
		}
		var names []string
		links := 0
		for r := tar.NewReader(&b); ; {
			h, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if names = append(names, h.Name); h.Typeflag == tar.TypeLink {
				links++
			}
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != want || len(names) > 1 && links != 1 {
			t.Errorf("%s: got %q with %d links, want %q", path, got, links, want)
		}
	}
}

// Modes and times are kept; set-id bits, owners and attributes only where that is
// wanted; sockets never.
func TestMetadata(t *testing.T) {
	src := tree(t, "dir/", "dir/program=1", "dir/private=2")
	at := time.Unix(1e9, 5)
	for _, err := range []error{
		os.Chmod(src+"/dir/program", 0o755|fs.ModeSetuid|fs.ModeSticky), os.Chmod(src+"/dir/private", 0o600), os.Chmod(src+"/dir", 0o711),
		unix.Mkfifo(src+"/dir/fifo", 0o640), unix.Mknod(src+"/dir/socket", unix.S_IFSOCK|0o600, 0),
		os.Chtimes(src+"/dir/program", at, at), os.Chtimes(src+"/dir", at, at),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	xattr := unix.Setxattr(src+"/dir/program", "user.davit", []byte("v"), 0)
	for _, keep := range []bool{false, true} {
		dst := t.TempDir()
		if _, err := Copy(t.Context(), inside(t, src), "/dir", host(t), dst, Options{Archive: keep}); err != nil {
			t.Fatal(err)
		}
		want := map[string]fs.FileMode{"dir": fs.ModeDir | 0o711, "dir/program": fs.ModeSticky | 0o755, "dir/private": 0o600, "dir/fifo": fs.ModeNamedPipe | 0o640}
		if keep {
			want["dir/program"] |= fs.ModeSetuid
		}
		for name, mode := range want {
			fi, err := os.Lstat(dst + "/" + name)
			if err != nil || fi.Mode() != mode {
				t.Errorf("archive %v: %s: got %v, %v, want %v", keep, name, fi.Mode(), err, mode)
			}
			if (name == "dir" || name == "dir/program") && !fi.ModTime().Equal(at) {
				t.Errorf("%s: got %v", name, fi.ModTime())
			}
		}
		if _, err := os.Lstat(dst + "/dir/socket"); err == nil {
			t.Error("a socket was copied")
		}
		value := make([]byte, 8)
		n, _ := unix.Getxattr(dst+"/dir/program", "user.davit", value)
		if xattr == nil && (n == 1) != keep {
			t.Errorf("archive %v: attribute %q", keep, value[:max(0, n)])
		}
	}
}

// Owners are those of the container: its root for what is copied to it.
func TestOwners(t *testing.T) {
	needs.Root(t, "it makes files of others")
	src := tree(t, "dir/", "dir/f=1")
	if err := os.Chown(src+"/dir/f", 7, 8); err != nil {
		t.Fatal(err)
	}
	maps := IDs{{0, 100000, 1000}}
	for _, tt := range []struct {
		name     string
		keep     bool
		uid, gid int // of dir/f
	}{{"root's", false, 100000, 100000}, {"kept", true, 100007, 100008}} {
		dst := t.TempDir()
		to := inside(t, dst)
		to.UIDs, to.GIDs, to.Owner = maps, maps, &Owner{maps.Out(0), maps.Out(0)}
		if _, err := Copy(t.Context(), host(t), src+"/dir", to, "/", Options{Archive: tt.keep}); err != nil {
			t.Fatal(err)
		}
		var st unix.Stat_t
		if err := unix.Stat(dst+"/dir/f", &st); err != nil || int(st.Uid) != tt.uid || int(st.Gid) != tt.gid {
			t.Errorf("%s: got %d:%d, %v", tt.name, st.Uid, st.Gid, err)
		}
		back := t.TempDir()
		if _, err := Copy(t.Context(), to, "/dir/f", host(t), back, Options{Archive: tt.keep}); err != nil {
			t.Fatal(err)
		}
		if err := unix.Stat(back+"/f", &st); err != nil || tt.keep && (st.Uid != 7 || st.Gid != 8) || !tt.keep && st.Uid != 0 {
			t.Errorf("%s: back: got %d:%d, %v", tt.name, st.Uid, st.Gid, err)
		}
	}
}

// A file that is mounted in the container's namespace stays mounted: its content
// is written.
func TestMountedFileIsWritten(t *testing.T) {
	needs.Root(t, "it mounts")
	root, src := tree(t, "etc/", "etc/hosts=below"), tree(t, "hosts=new", "mounted=old")
	if err := unix.Mount(src+"/mounted", root+"/etc/hosts", "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(root+"/etc/hosts", unix.MNT_DETACH)
	if _, err := Copy(t.Context(), host(t), src+"/hosts", inside(t, root), "/etc", Options{}); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(src + "/mounted"); err != nil || string(data) != "new" {
		t.Errorf("got %q, %v", data, err)
	}
}

func TestDevicesDoNotReachTheHost(t *testing.T) {
	needs.Root(t, "it makes a device")
	src := tree(t)
	if err := unix.Mknod(src+"/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Fatal(err)
	}
	dst := t.TempDir()
	if _, err := Copy(t.Context(), inside(t, src), "/null", host(t), dst, Options{}); err == nil || !strings.Contains(err.Error(), "it is a device") {
		t.Errorf("got %v", err)
	}
	if _, err := Copy(t.Context(), host(t), src+"/null", inside(t, dst), "/", Options{}); err != nil {
		t.Error(err)
	}
}
