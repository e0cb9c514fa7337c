package build

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/store"
	"github.com/davit-containers/davit/conformance/guard"
	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/shim/build/dockerfile"
)

// TestMain runs the tests with a guard: containers outlive a killed test.
func TestMain(m *testing.M) { os.Exit(guard.Run(m.Run)) }

// yard is a place to build in: a store with the image box, and a context.
type yard struct {
	t       *testing.T
	store   *store.Store
	context string
	o       Options
	printed *log
	said    func(text string) // hears what steps print, if set
}

// log keeps what is told.
type log struct {
	mu     sync.Mutex
	events []Event
	text   bytes.Buffer
	said   func(text string)
}

func (l *log) take(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	l.text.Write(e.Text)
	if l.said != nil {
		l.said(string(e.Text))
	}
}

// count is how many events of a state there were.
func (l *log) count(s State) (n int) {
	for _, e := range l.events {
		if e.State == s {
			n++
		}
	}
	return n
}

func newYard(t *testing.T, entries ...*tar.Header) *yard {
	t.Helper()
	needs.Root(t, "it mounts overlays")
	busybox := needs.Program(t, "busybox")
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	y := &yard{t: t, store: s, context: t.TempDir()}
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	name, err := image.ParseName("box")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Import(t.Context(), bytes.NewReader(boxLayer(t, program, entries)), store.CommitOptions{
		Names: []image.Name{name}, Compression: store.Plain, Change: func(c *image.Config) { c.Config.Env = []string{"PATH=/bin"} },
	})
	if err != nil {
		t.Fatal(err)
	}
	y.o = Options{
		Store: s, Run: t.TempDir(), Network: "none", Image: true, Compression: store.Plain, Warn: func(string) {},
		Fetch: func(ctx context.Context, name, _ string) (*store.Image, error) { return s.Get(ctx, name) },
	}
	return y
}

// boxLayer has busybox, and what else is wanted.
func boxLayer(t *testing.T, program []byte, entries []*tar.Header) []byte {
	t.Helper()
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	put := func(h *tar.Header, content []byte) {
		h.Size = int64(len(content))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	put(&tar.Header{Name: "bin/", Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	put(&tar.Header{Name: "bin/busybox", Mode: 0o755}, program)
	for _, applet := range strings.Fields("sh cat echo id ls ln rm mkdir mv touch env true test find stat mknod sleep cp") {
		put(&tar.Header{Name: "bin/" + applet, Typeflag: tar.TypeSymlink, Linkname: "busybox", Mode: 0o777}, nil)
	}
	put(&tar.Header{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	put(&tar.Header{Name: "etc/passwd", Mode: 0o644}, []byte("root:x:0:0::/:/bin/sh\n4294967296:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\n"))
	for _, h := range entries {
		put(h, nil)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

// file writes a file of the context.
func (y *yard) file(name, text string) {
	y.t.Helper()
	path := filepath.Join(y.context, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		y.t.Fatal(err)
	}
}

// link makes a symbolic link of the context.
func (y *yard) link(target, name string) {
	y.t.Helper()
	if err := os.Symlink(target, filepath.Join(y.context, name)); err != nil {
		y.t.Fatal(err)
	}
}

// tryBuild builds in the process of the test, and looks afterwards that nothing is left.
func (y *yard) tryBuild(ctx context.Context, text string) (*store.Image, error) {
	y.t.Helper()
	root, err := os.Open(y.context)
	if err != nil {
		y.t.Fatal(err)
	}
	defer root.Close()
	y.printed = &log{said: y.said}
	o := y.o
	o.Context, o.Report = root, y.printed.take
	o.File = func(images dockerfile.Images) (*dockerfile.File, error) {
		return dockerfile.Read(strings.NewReader(text), dockerfile.Options{Images: images, Platform: image.Host(), Host: image.Host(), Args: map[string]string{"ARGUMENT": "told-nobody"}})
	}
	img, err := Build(ctx, o)
	y.checkClean()
	return img, err
}

func (y *yard) checkClean() {
	y.t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		y.t.Fatal(err)
	}
	for _, dir := range []string{y.store.Root(), y.o.Run} {
		if strings.Contains(string(mounts), dir) {
			y.t.Errorf("mounts are left below %s", dir)
		}
	}
	for _, dir := range []string{y.store.Root() + "/work", y.o.Run + "/builds", y.o.Run + "/build"} {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if e.Name() != ".seccomp" {
				y.t.Errorf("%s/%s is left", dir, e.Name())
			}
		}
	}
}

// build wants a build to go well.
func (y *yard) build(text string) *store.Image {
	y.t.Helper()
	img, err := y.tryBuild(y.t.Context(), text)
	if err != nil {
		y.t.Fatalf("%v\n%s", err, y.printed.text.String())
	}
	return img
}

// refused wants a build to fail.
func (y *yard) refused(text, want string) {
	y.t.Helper()
	_, err := y.tryBuild(y.t.Context(), text)
	if err == nil || !strings.Contains(err.Error(), want) {
		y.t.Errorf("%s: got %v, want %q", text, err, want)
	}
}

// tree lists the files that an image's own layers have: those above box.
func (y *yard) tree(img *store.Image) string {
	y.t.Helper()
	var out bytes.Buffer
	for _, d := range img.LayerDescriptors()[1:] {
		blob, err := y.store.OpenBlob(y.t.Context(), d, 0)
		if err != nil {
			y.t.Fatal(err)
		}
		cmd := exec.Command("tar", "-t")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = blob, &out, &out
		if err := errors.Join(cmd.Run(), blob.Close()); err != nil {
			y.t.Fatal(err, out.String())
		}
	}
	return strings.ReplaceAll(out.String(), "./\n", "") // the root, whose time may have changed
}

func TestCache(t *testing.T) {
	y := newYard(t)
	y.file("a", "1")
	y.file("b", "1")
	text := "FROM box\nRUN echo 1 >/one\nCOPY a /\nRUN echo 2 >/two\nCOPY b /\nLABEL l=1\nCMD x"
	first := y.build(text)
	for _, tt := range []struct {
		name   string
		change func()
		text   string
		cached int
	}{
		{"nothing", func() {}, text, 4},
		{"another label", func() {}, strings.Replace(text, "l=1", "l=2", 1), 4},
		{"the last file", func() { y.file("b", "2") }, text, 3},
		{"back again", func() { y.file("b", "1") }, text, 4},
		{"the first file", func() { y.file("a", "2") }, text, 1},
		{"a file's time", func() { y.file("a", "2") }, text, 4},
		{"a variable", func() {}, strings.Replace(text, "RUN echo 2", "ENV A=1\nRUN echo 2", 1), 2},
		{"the user", func() {}, strings.Replace(text, "RUN echo 2", "USER 0\nRUN echo 2", 1), 2},
		{"the first command", func() {}, strings.Replace(text, "RUN echo 1", "RUN echo 01", 1), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			y.t = t
			tt.change()
			img := y.build(tt.text)
			if n := y.printed.count(Cached); n != tt.cached {
				t.Errorf("%d steps were cached, want %d", n, tt.cached)
			}
			if same := img.ID() == first.ID(); same != (tt.name == "nothing" || tt.name == "back again") {
				t.Errorf("the same image: %v", same)
			}
		})
	}
}

// TestCacheIsKept: what steps came to outlives a collection until it is forgotten,
// and goes then.
func TestCacheIsKept(t *testing.T) {
	y := newYard(t)
	text := "FROM box AS other\nRUN echo 1 >/one\nFROM box\nCOPY --from=other /one /"
	y.build(text)
	if _, err := y.store.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	y.build(text)
	if n := y.printed.count(Cached); n != 2 {
		t.Errorf("%d steps were cached after a collection, want 2", n)
	}
	if n, err := y.store.Forget(t.Context(), now().Add(1e12)); n != 2 || err != nil {
		t.Errorf("%d were forgotten, %v", n, err)
	}
	if c, err := y.store.Collect(t.Context()); c.Layers != 1 || err != nil {
		t.Errorf("%d layers were collected, want that of the other stage alone; %v", c.Layers, err)
	}
	y.build(text)
	if n := y.printed.count(Cached); n != 0 {
		t.Errorf("%d steps were cached after all was forgotten", n)
	}
}

// TestNothingIsLeft: of a RUN there is nothing in the layer but what its program
// wrote, and of secrets and arguments nothing in the store.
func TestNothingIsLeft(t *testing.T) {
	y := newYard(t)
	secret := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(secret, []byte("very-secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	y.o.Secrets = map[string]Secret{"s": {File: secret}}
	img := y.build(`FROM box
ARG ARGUMENT
RUN --mount=type=secret,id=s,required=true --mount=type=secret,id=s,env=S,target=/a/b/c/secret --mount=type=cache,target=/x/cache --mount=type=tmpfs,target=/y --mount=target=/ctx --mount=from=box,target=/z/box \
	cat /run/secrets/s && echo " $S $ARGUMENT" && echo 1 >/x/cache/f && echo 2 >/y/f && test -e /z/box/bin/sh && echo 3 >/a/wrote
RUN true
RUN --mount=type=cache,target=/x/cache echo cached $(cat /x/cache/f)`)
	if got := y.tree(img); got != "a/\na/wrote\n" {
		t.Errorf("the layers have\n%s", got)
	}
	if got := y.printed.text.String(); got != "very-secret very-secret told-nobody\ncached 1\n" {
		t.Errorf("the programs saw %q", got)
	}
	found, _ := exec.Command("grep", "-rl", "-e", "told-nobody", "-e", "very-secret", y.store.Root()).Output()
	if len(found) > 0 {
		t.Errorf("in the store are values that nobody is to see: %s", found)
	}
}

// TestSecretIsRequired: without one the build fails, or the mount is left out.
func TestSecretIsRequired(t *testing.T) {
	y := newYard(t)
	y.refused("FROM box\nRUN --mount=type=secret,id=s,required=true true", "no such secret was given")
	y.build("FROM box\nRUN --mount=type=secret,id=s test ! -e /run/secrets/s")
}

// TestInterrupted: a build that is interrupted ends at once, with all that it has
// started, and what was done before is not lost.
func TestInterrupted(t *testing.T) {
	y := newYard(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	y.said = func(text string) {
		if strings.Contains(text, "waits") {
			cancel()
		}
	}
	wait := fmt.Sprintf("sleep 1%09d", os.Getpid()) // nobody else's
	_, err := y.tryBuild(ctx, "FROM box\nRUN echo done >/done\nRUN "+wait+" & echo waits; "+wait)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	out, _ := exec.Command("pgrep", "-fx", wait).Output()
	if len(out) > 0 {
		t.Errorf("processes are left: %s", out)
	}
	y.build("FROM box\nRUN echo done >/done")
	if y.printed.count(Cached) != 1 {
		t.Error("what was done before the interruption was lost")
	}
}

// TestSideBySide: stages that do not need one another run at the same time, and
// those that nobody needs not at all. Each waits for the other.
func TestSideBySide(t *testing.T) {
	y := newYard(t)
	meet := func(me, other string) string {
		return "FROM box AS " + me + "\nRUN --mount=type=cache,id=meet,target=/m touch /m/" + me +
			" /made-" + me + "; n=0; while [ ! -e /m/" + other + " ]; do n=$((n+1)); [ $n -lt 200 ] || exit 1; sleep 0.1; done\n"
	}
	img := y.build(meet("one", "two") + meet("two", "one") + "FROM box AS never\nRUN false\nFROM box\nCOPY --from=one /made-one /\nCOPY --from=two /made-two /")
	if got := y.tree(img); got != "made-one\nmade-two\n" {
		t.Errorf("the layers have\n%s", got)
	}
}
