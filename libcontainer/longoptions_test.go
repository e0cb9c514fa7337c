package libcontainer

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/libcontainer/host"
)

// layers makes n directories with long names and a file each.
func (b *box) layers(n int) []string {
	base := filepath.Join(b.t.TempDir(), strings.Repeat("d", 150))
	var dirs []string
	for i := range n {
		dir := filepath.Join(base, strconv.Itoa(i)+strings.Repeat("l", 50))
		b.must(os.MkdirAll(dir, 0o755))
		b.must(os.WriteFile(filepath.Join(dir, "file"+strconv.Itoa(i)), nil, 0o644))
		dirs = append(dirs, dir)
	}
	return dirs
}

func (b *box) overlay(options ...string) {
	b.config.Mounts = append(b.config.Mounts, specs.Mount{Destination: "/merged", Type: "overlay", Source: "overlay", Options: options})
}

// Twenty layers with long names fit into no page.
func TestManyLayers(t *testing.T) {
	if host.Kernel().Before(host.Version{Major: 6, Minor: 5}) {
		needs.Kernel(t, needs.OverlayLayers, errors.New("the kernel is older"))
	}
	b := newBox(t)
	dirs := b.layers(20)
	b.overlay("lowerdir=" + strings.Join(dirs, ":"))
	if out, exit, err := b.run("/bin/ls", "/merged"); err != nil || exit.Code() != 0 || strings.Count(out, "file") != 20 {
		t.Errorf("got %q, %v, %v", out, exit.Code(), err)
	}
}

// One directory whose name alone is longer than fsconfig(2) takes.
func TestLongLayer(t *testing.T) {
	b := newBox(t)
	dir := b.layers(1)[0]
	upper, work := filepath.Join(dir, strings.Repeat("u", 100)), filepath.Join(dir, strings.Repeat("w", 100))
	b.must(os.Mkdir(upper, 0o755))
	b.must(os.Mkdir(work, 0o755))
	b.overlay("lowerdir="+b.rootfs("bin"), "upperdir="+upper, "workdir="+work, "noexec")
	out, exit, err := b.run("/bin/sh", "-c", "echo x >/merged/new && grep -c ' /merged overlay .*noexec' /proc/mounts && ls /merged/busybox")
	if err != nil || exit.Code() != 0 || out != "1\n/merged/busybox\n" {
		t.Errorf("got %q, %v, %v", out, exit.Code(), err)
	}
	if _, err := os.Stat(filepath.Join(upper, "new")); err != nil {
		t.Error(err)
	}
}
