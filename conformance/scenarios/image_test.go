package scenarios

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/davit-containers/davit/conformance/needs"
)

// entry is a file of the image.
type entry struct {
	name, data, link string
	mode             int64
	kind             byte
}

// imageEntries is a root file system of Debian's static busybox, with a few files
// that scenarios want.
func imageEntries(t *testing.T) []entry {
	t.Helper()
	busybox := needs.Program(t, "busybox")
	list, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	entries := []entry{
		{name: "tmp/", mode: 0o1777, kind: tar.TypeDir},
		{name: "bin/", mode: 0o755, kind: tar.TypeDir},
		{name: "home/", mode: 0o777, kind: tar.TypeDir},
		{name: "bin/busybox", data: string(data), mode: 0o755},
		{name: "bin/text", data: "no program\n", mode: 0o644},
		{name: "bin/script", data: "#!/bin/absent\n", mode: 0o755},
		{name: "etc/passwd", data: "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home:/bin/sh\n", mode: 0o644},
		{name: "etc/group", data: "root:x:0:\nalice:x:1000:\nvideo:x:44:alice\n", mode: 0o644},
	}
	for applet := range strings.FieldsSeq(string(list)) {
		if applet != "busybox" {
			entries = append(entries, entry{name: "bin/" + applet, link: "busybox", mode: 0o777, kind: tar.TypeSymlink})
		}
	}
	return entries
}

// writeImage writes the image's root file system as a tar archive.
func writeImage(t *testing.T, i *instance) string {
	t.Helper()
	return i.write(t, "box.tar", pack(t, imageEntries(t)), 0o644)
}

// writeArchive writes the image as docker save does.
func writeArchive(t *testing.T, i *instance) string {
	t.Helper()
	layer := pack(t, imageEntries(t))
	config := fmt.Sprintf(`{"architecture":%q,"os":"linux","config":{"Env":["PATH=/bin"]},"rootfs":{"type":"layers","diff_ids":["sha256:%x"]}}`,
		runtime.GOARCH, sha256.Sum256([]byte(layer)))
	manifest := `[{"Config":"config.json","RepoTags":["docker.io/library/box:latest"],"Layers":["layer.tar"]}]`
	return i.write(t, "archive.tar", pack(t, []entry{
		{name: "layer.tar", data: layer, mode: 0o644}, {name: "config.json", data: config, mode: 0o644}, {name: "manifest.json", data: manifest, mode: 0o644},
	}), 0o644)
}

// pack makes a tar archive.
func pack(t *testing.T, entries []entry) string {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, e := range entries {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		h := &tar.Header{Name: e.name, Linkname: e.link, Mode: e.mode, Typeflag: e.kind, Size: int64(len(e.data))}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.String()
}
