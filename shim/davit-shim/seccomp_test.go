package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	references "github.com/google/go-containerregistry/pkg/name"

	"github.com/davit-containers/davit/conformance/needs"
)

// TestSeccompInTheKernel runs a program under the default profile, for this
// machine and, on amd64, for 32 bits, where sockets are made by socketcall(2).
func TestSeccompInTheKernel(t *testing.T) {
	needs.Root(t, "it runs a container")
	needs.Program(t, "go")
	davit := needs.Built(t, "../../bin/davit")
	dir := t.TempDir()
	want := "socket inet: 0\nsocket unix: 0\nsocket alg: 1\nsocket vsock: 1\nio_uring_setup: 1\nclone3: 38\nunshare: 1\n"
	got := runProbe(t, dir, davit, runtime.GOARCH)
	sameLines(t, got, want)
	if runtime.GOARCH != "amd64" {
		return
	}
	// Through socketcall all families can be had: what they need beyond that may be missing.
	for line := range strings.Lines(runProbe(t, dir, davit, "386")) {
		name, number, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case name == "socket inet" && number != "0", name == "socket alg" && number == "1", name == "io_uring_setup" && number != "1":
			t.Errorf("386: %s", line)
		}
	}
}

// sameLines compares lines in any order.
func sameLines(t *testing.T, got, want string) {
	t.Helper()
	for line := range strings.Lines(want) {
		if !strings.Contains(got, line) {
			t.Errorf("no %q in\n%s", line, got)
		}
	}
}

// runProbe builds the program for an architecture and runs it in a container of an
// image with nothing in it.
func runProbe(t *testing.T, dir, davit, arch string) string {
	t.Helper()
	probe := filepath.Join(dir, "probe-"+arch)
	build := exec.Command("go", "build", "-o", probe, "./testdata/probe")
	build.Env = append(os.Environ(), "GOARCH="+arch, "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building for %s: %v: %s", arch, err, out)
	}
	archive := filepath.Join(dir, "empty.tar")
	img, err := configured(empty.Image, []string{`{"Cmd":["/probe"]}`})
	if err != nil {
		t.Fatal(err)
	}
	tag, err := references.NewTag("empty", references.WithDefaultRegistry(""))
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(archive, tag, img); err != nil {
		t.Fatal(err)
	}
	root, bundle := filepath.Join(dir, "store"), filepath.Join(dir, "bundle-"+arch)
	tool := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
		return string(out)
	}
	tool("davit-shim", "--root", root, "load", "-q", "-i", archive)
	tool("davit-shim", "--root", root, "bundle", "-q", "-v", probe+":/probe:ro", "empty", bundle)
	defer tool("davit-shim", "bundle", "--remove", bundle)
	return tool(davit, "run", "-b", bundle, "probe-"+filepath.Base(filepath.Dir(dir))+"-"+arch)
}
