package build

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// canary is a directory of the host that no build may read or change.
func canary(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "canary")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(dir+"/file", []byte("CANARY"), 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		entries, _ := os.ReadDir(dir)
		data, err := os.ReadFile(dir + "/file")
		if info, _ := os.Stat(dir); len(entries) != 1 || string(data) != "CANARY" || err != nil || info.Mode().Perm() != 0o700 || info.Sys() == nil {
			t.Errorf("the host's directory was changed: %v %q %v", entries, data, err)
		}
	})
	return dir
}

// printedCanary tells whether a step has read the canary.
func (y *yard) printedCanary() bool { return strings.Contains(y.printed.text.String(), "CANARY") }

// leaks tells whether the canary is in the store or was printed. Nothing may be
// exchanged in the store meanwhile: the test itself would follow a link.
func (y *yard) leaks() bool {
	found := false
	_ = filepath.WalkDir(y.store.Root(), func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			data, _ := os.ReadFile(path)
			found = found || bytes.Contains(data, []byte("CANARY"))
		}
		return nil
	})
	return found || y.printedCanary()
}

// TestLinksOfTheContext: links lead nowhere out of the context.
// CVE-2024-5154, CVE-2026-33748, CVE-2019-18466.
func TestLinksOfTheContext(t *testing.T) {
	dir := canary(t)
	y := newYard(t)
	up := strings.Repeat("../", 30)
	y.link(dir, "absolute")
	y.link(up+dir, "relative")
	y.link("/", "slash")
	y.file("kept/a", "")
	y.link(dir, "kept/inner")
	for _, source := range []string{"absolute/file", "relative/file", "absolute/*", "*lut*/file", "slash" + dir + "/file", up + dir + "/file"} {
		_, _ = y.tryBuild(t.Context(), "FROM box\nCOPY "+source+" /x/")
		if y.leaks() {
			t.Fatalf("COPY %s read the host's files", source)
		}
		_, _ = y.tryBuild(t.Context(), "FROM box\nRUN --mount=source="+strings.ReplaceAll(source, "*", "x")+",target=/m cat /m /m/*")
		if y.leaks() {
			t.Fatalf("a mount of %s showed the host's files", source)
		}
	}
	img := y.build("FROM box\nCOPY kept /x/\nRUN ls -l /x/inner; cat /x/inner/file || true")
	if y.leaks() || !strings.Contains(y.tree(img), "x/inner\n") {
		t.Errorf("a link was followed, or lost: %s", y.tree(img))
	}
}

// TestLinksOfTheImage: links of an image lead nowhere out of its root file system,
// neither where something is put nor where something is taken.
// CVE-2024-1753, CVE-2026-55686: WORKDIR was a link. CVE-2024-23652, CVE-2022-23648.
func TestLinksOfTheImage(t *testing.T) {
	dir := canary(t)
	up := strings.Repeat("../", 30)
	y := newYard(t,
		&tar.Header{Name: "absolute", Typeflag: tar.TypeSymlink, Linkname: dir, Mode: 0o777},
		&tar.Header{Name: "relative", Typeflag: tar.TypeSymlink, Linkname: up + dir, Mode: 0o777},
		&tar.Header{Name: "run", Typeflag: tar.TypeSymlink, Linkname: dir, Mode: 0o777},
	)
	y.file("a", "new")
	y.file("d/a", "new")
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, h := range []*tar.Header{
		{Name: "l", Typeflag: tar.TypeSymlink, Linkname: dir, Mode: 0o777}, {Name: "l/made", Mode: 0o666}, {Name: "../../../../../.." + dir + "/made", Mode: 0o666},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	y.file("x.tar", archive.String())
	y.whiteouts()
	for _, step := range []string{
		"WORKDIR /absolute/made", "WORKDIR /relative/made", "USER app\nWORKDIR /absolute", "COPY a /absolute/", "COPY a /relative/made/a", "COPY d /absolute", "COPY d /absolute/",
		"COPY --chown=1000 --chmod=777 d /relative/made/", "ADD x.tar /absolute/", "ADD x.tar /", "COPY <<E /absolute/file\nE", "COPY --from=box /absolute/file /x", "COPY --from=box /relative /x/",
		"RUN --mount=type=tmpfs,target=/absolute/made true", "RUN --mount=type=cache,target=/relative/made touch /relative/made/x", "RUN --mount=from=box,source=/absolute,target=/m cat /m/file",
		"VOLUME /absolute/made\nRUN true", "RUN true >/absolute/file || true",
	} {
		_, err := y.tryBuild(t.Context(), "FROM box\n"+step+"\nRUN cat /absolute/file || true")
		if y.leaks() {
			t.Errorf("%s read the host's files (%v)", step, err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Fatalf("%s made files of the host (%v)", step, err)
		}
	}
}

// TestStubs: the place that was made for a mount is removed if it still is that
// one, and nothing else in its stead.
// CVE-2024-23652.
func TestStubs(t *testing.T) {
	y := newYard(t)
	img := y.build(`FROM box
RUN mkdir /victim && touch /victim/x && mkdir -p /victim2/d
RUN --mount=type=tmpfs,target=/a/d --mount=from=box,source=/bin/busybox,target=/a/x mv /a /b && ln -s victim /a && mkdir -p /victim/d
RUN --mount=type=tmpfs,target=/victim2/d true
RUN --mount=type=tmpfs,target=/c/d touch /c/kept`)
	got := y.tree(img)
	for _, want := range []string{"victim/x\n", "victim/d/\n", "victim2/d/\n", "a\n", "b/\n", "c/kept\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not there:\n%s", want, got)
		}
	}
	for _, gone := range []string{"b/x", "b/d", "c/d", ".wh."} {
		if strings.Contains(got, gone) {
			t.Errorf("%q is there:\n%s", gone, got)
		}
	}
}

// TestCacheSubpath: a link in a cache leads nowhere else, also while it is exchanged.
// CVE-2024-23651.
func TestCacheSubpath(t *testing.T) {
	dir := canary(t)
	y := newYard(t)
	y.build("FROM box\nRUN --mount=type=cache,id=k,target=/c mkdir /c/sub && ln -s " + dir + " /c/link")
	_, _ = y.tryBuild(t.Context(), "FROM box\nRUN --mount=type=cache,id=k,source=link,target=/m cat /m/file")
	if y.leaks() {
		t.Fatal("a link was followed")
	}
	sum := sha256.Sum256([]byte("k"))
	cache := filepath.Join(y.store.Root(), cacheDir, hex.EncodeToString(sum[:])+"-0")
	y.o.NoCache = true
	race(t, filepath.Join(cache, "sub"), filepath.Join(cache, "link"), 6, func() {
		_, _ = y.tryBuild(t.Context(), "FROM box\nRUN --mount=type=cache,id=k,source=sub,target=/m cat /m/file || true")
		if y.printedCanary() {
			t.Fatal("the host's files were mounted")
		}
	})
	if y.leaks() {
		t.Error("the host's files are in the store")
	}
}

// TestContextRace: a directory of the context is exchanged with a link to the host's.
func TestContextRace(t *testing.T) {
	dir := canary(t)
	y := newYard(t)
	y.file("sub/file", "inside") // as long as the canary
	y.file("sub/deep/file", "inside")
	y.link(dir, "link")
	y.o.NoCache = true
	race(t, filepath.Join(y.context, "sub"), filepath.Join(y.context, "link"), 4, func() {
		for _, copied := range []string{". /", "sub /x/", "sub/file /", "s*/f* /x/"} {
			_, _ = y.tryBuild(t.Context(), "FROM scratch\nCOPY "+copied)
		}
		if y.leaks() {
			t.Fatal("the host's files were copied")
		}
	})
}

// TestExchanged is the race of TestContextRace at its worst moment: between reading
// the directories and opening the files.
func TestExchanged(t *testing.T) {
	dir := canary(t)
	context := t.TempDir()
	if err := errors.Join(os.Mkdir(context+"/sub", 0o755), os.WriteFile(context+"/sub/file", []byte("inside"), 0o600), os.Symlink(dir, context+"/link")); err != nil {
		t.Fatal(err)
	}
	root, err := os.Open(context)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	s, err := (&files{root: root}).read("", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := unix.Renameat2(unix.AT_FDCWD, context+"/sub", unix.AT_FDCWD, context+"/link", unix.RENAME_EXCHANGE); err != nil {
		t.Fatal(err)
	}
	for i := range s.entries {
		if e := &s.entries[i]; e.kind() == unix.S_IFREG {
			if f, err := s.regular(e); err == nil {
				t.Errorf("%s was opened, which is %s now", e.path, f.Name())
			}
		}
	}
	if err := s.walk("sub", "sub", nil); err == nil {
		t.Error("a directory that is a link now was read")
	}
}

// race exchanges two names all the time, while act runs several times.
func race(t *testing.T, a, b string, rounds int, act func()) {
	t.Helper()
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
			}
		}
	}()
	defer func() { close(stop); <-ended }()
	for range rounds {
		act()
	}
}

// TestNoWaiting: files that are no files of a person's do not stop a build, and
// neither do those of an image.
// CVE-2024-9676, CVE-2026-47262.
func TestNoWaiting(t *testing.T) {
	y := newYard(t, &tar.Header{Name: "etc/passwd", Typeflag: tar.TypeFifo, Mode: 0o644})
	if err := errors.Join(unix.Mkfifo(y.context+"/pipe", 0o600), unix.Mknod(y.context+"/device", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5)))); err != nil {
		t.Fatal(err)
	}
	img := y.build("FROM box\nCOPY . /x/\nCOPY pipe /pipe")
	if got := y.tree(img); got != "x/\nx/pipe\npipe\n" {
		t.Errorf("the layers have\n%s", got)
	}
	y.refused("FROM box\nADD pipe /x\nUSER app\nRUN true", "not a regular file")
	y.refused("FROM box\nCOPY --chown=app pipe /x", "not a regular file")
}

// TestUsers: a number that is none is no name either.
// CVE-2024-40635, CVE-2026-46680.
func TestUsers(t *testing.T) {
	y := newYard(t)
	for _, user := range []string{"4294967296", "4294967295", "-1", "nobody-there", "0:nobody-there"} {
		y.refused("FROM box\nUSER "+user+"\nRUN id", "user")
		y.refused("FROM box\nCOPY --chown="+user+" . /x/", "user")
	}
	y.build("FROM box\nUSER app\nRUN id -u; id -G\nWORKDIR /of/app\nRUN stat -c '%u:%g' /of /of/app")
	if got := y.printed.text.String(); got != "1000\n1001\n1000:1001\n1000:1001\n" {
		t.Errorf("got %q", got)
	}
}

// TestRights: what RUN starts has what a container has by default, and nothing of
// this process's environment or descriptors.
// CVE-2021-3602, CVE-2026-57231, CVE-2024-21626.
func TestRights(t *testing.T) {
	t.Setenv("OF_THE_HOST", "CANARY")
	y := newYard(t)
	y.build("FROM box\nENV A=1\nRUN env; cat /proc/self/status; ls -l /proc/self/fd; mknod /dev/disk b 8 0; cat /dev/disk || true")
	got := y.printed.text.String()
	for _, want := range []string{"CapBnd:\t00000000a80425fb\n", "CapEff:\t00000000a80425fb\n", "CapInh:\t0000000000000000\n", "Seccomp:\t2\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "OF_THE_HOST") || strings.Contains(got, "-> /proc/1/") || strings.Count(got, " -> ") > 4 {
		t.Errorf("it has something of the host's:\n%s", got)
	}
}

// TestFetched: what is fetched is what it was said to be, and goes where it was
// said to go.
// CVE-2026-44517.
func TestFetched(t *testing.T) {
	content := "hello"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			w.Header().Set("Content-Disposition", `attachment; filename="../../evil"`)
			http.Redirect(w, r, "/a/../../../other", http.StatusFound)
			return
		}
		_, _ = w.Write([]byte(content))
	}))
	defer server.Close()
	y := newYard(t)
	sum := sha256.Sum256([]byte(content))
	add := "FROM box\nADD --checksum=sha256:" + hex.EncodeToString(sum[:]) + " " + server.URL
	if got := y.tree(y.build(add + "/moved /opt/")); got != "opt/\nopt/moved\n" {
		t.Errorf("the layer has\n%s", got)
	}
	content = "other"
	y.refused(add+"/moved /opt2/", "its digest is")
}

// whiteouts wants names refused that would remove files of the layers below.
func (y *yard) whiteouts() {
	y.t.Helper()
	y.file("e/.wh.bin", "")
	for i, name := range []string{".wh.bin", "bin/.wh..wh..opq", ".wh..wh.x", ".wh.d/x"} {
		var archive bytes.Buffer
		w := tar.NewWriter(&archive)
		if err := errors.Join(w.WriteHeader(&tar.Header{Name: name, Mode: 0o666}), w.Close()); err != nil {
			y.t.Fatal(err)
		}
		file := fmt.Sprintf("wh%d.tar", i)
		y.file(file, archive.String())
		y.refused("FROM box\nADD "+file+" /", ".wh.")
		y.refused("FROM box\nADD --chown=1 "+file+" /", ".wh.")
	}
	for _, step := range []string{"COPY e/.wh.bin /", "COPY e /", "ADD e/.wh.bin /x/.wh..wh..opq", "WORKDIR /.wh.bin", "RUN touch /.wh.bin", "COPY <<E /.wh.bin\nE"} {
		y.refused("FROM box\n"+step, "a layer cannot hold a name that begins with .wh.")
	}
}

// TestArchives: ADD unpacks what is an archive, in this process alone.
// CVE-2026-41567: a decompressor of the image was executed.
func TestArchives(t *testing.T) {
	y := newYard(t)
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: "in/file", Mode: 0o640, Uid: 7, Gid: 8, Size: 2}), second(w.Write([]byte("hi"))), w.Close()); err != nil {
		t.Fatal(err)
	}
	y.file("a.tar", archive.String())
	for _, program := range []string{"gzip", "bzip2", "xz", "zstd"} {
		compress(t, program, y.context+"/a.tar", y.context+"/a.tar."+program)
	}
	y.file("no.tar", "no archive")
	y.build(`FROM box
ADD a.tar /plain/
ADD --chown=1000:1001 a.tar.gzip /gzip/
ADD a.tar.bzip2 /bzip2/
ADD a.tar.xz /xz/
ADD a.tar.zstd /zstd
ADD no.tar /no/
COPY a.tar.xz /copied/
RUN stat -c '%n %u:%g %a' /*/in/file /no/no.tar /copied/a.tar.xz`)
	want := "/bzip2/in/file 7:8 640\n/gzip/in/file 1000:1001 640\n/plain/in/file 7:8 640\n/xz/in/file 7:8 640\n/zstd/in/file 7:8 640\n/no/no.tar 0:0 644\n/copied/a.tar.xz 0:0 644\n"
	if got := y.printed.text.String(); got != want {
		t.Errorf("got\n%s", got)
	}
}

func second(_ int, err error) error { return err }

func compress(t *testing.T, program, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	out, err := run(t.Context(), program, data)
	if err == nil {
		err = os.WriteFile(to, out, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestCopies: where things go, and what they are there.
func TestCopies(t *testing.T) {
	y := newYard(t, &tar.Header{Name: "usr/bin/", Typeflag: tar.TypeDir, Mode: 0o755}, &tar.Header{Name: "sbin", Typeflag: tar.TypeSymlink, Linkname: "/usr/bin", Mode: 0o777})
	y.file("d/a", "a")
	y.file("d/sub/b.md", "b")
	y.file("root/sbin/tool", "t")
	y.file("x1", "1")
	y.file("x2", "2")
	y.build(`FROM box AS other
RUN mkdir -p /o/keep && echo 1 >/o/keep/f && ln /o/keep/f /o/keep/g && touch -d @1000000000 /o/keep/f
RUN chmod 4750 /o/keep/f && chmod 1777 /o/keep
FROM box
COPY d /d
COPY d /d2/
COPY d/sub /d/new
COPY x1 /file
COPY x1 /d2
COPY x* /many/
COPY root /
COPY --chown=app --chmod=0700 d /owned
COPY --parents --exclude=*.md d/./sub d/a /parents/
COPY --from=other --chown=5:6 /o /given
COPY --from=other /o /o
RUN find /d /d2 /file /many /usr/bin /sbin /owned /parents | sort; stat -c '%n %u:%g %a %Y %h' /owned /owned/a /given/keep/f /o/keep /o/keep/f; ls -l / | grep -c 'sbin -> /usr/bin'`)
	want := strings.Join([]string{
		"/d", "/d/a", "/d/new", "/d/new/b.md", "/d/sub", "/d/sub/b.md", "/d2", "/d2/a", "/d2/sub", "/d2/sub/b.md", "/d2/x1", "/file", "/many", "/many/x1", "/many/x2",
		"/owned", "/owned/a", "/owned/sub", "/owned/sub/b.md", "/parents", "/parents/d", "/parents/d/a", "/parents/sub", "/sbin", "/usr/bin", "/usr/bin/tool", "",
	}, "\n")
	if got := y.printed.text.String(); !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s", got)
	}
}

// run is a program with an input.
func run(ctx context.Context, program string, input []byte) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, "-c")
	cmd.Stdin = bytes.NewReader(input)
	return cmd.Output()
}
