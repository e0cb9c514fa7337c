package transports

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/guard"
	"github.com/davit-containers/davit/conformance/internal/disk"
	"github.com/davit-containers/davit/conformance/internal/images"
	"github.com/davit-containers/davit/conformance/isolate"
	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/conformance/treetest"
)

var (
	judged = flag.String("davit-shim", "../../bin/davit-shim", "the `PROGRAM` that is judged")
	image  = flag.String("image", "small", "the `IMAGE` of conformance/images that is moved")
	layout = flag.String("layout", "", "the `DIR` in which it is made, or is already")
	onDisk = flag.Bool("disk", false, "do each step on a new file system")
)

// TestMain runs the tests where no network of the machine is: there is a registry.
func TestMain(m *testing.M) { os.Exit(isolate.Run(m.Run)) }

// compressions are those that images come in.
var compressions = []string{"gzip", "zstd"}

// lab is the image in a layout, and what it unpacks to.
type lab struct {
	*testing.T
	program string
	layout  string // has the image under NAME-gzip and NAME-zstd
	dir     string // lasts as long as the test
	disk    *disk.Disk
	want    treetest.Tree // what umoci unpacks
}

// TestImage moves the image through everything.
func TestImage(t *testing.T) {
	l := newLab(t)
	l.inDirectory(func(dir string) {
		l.run("umoci", "unpack", "--image", l.layout+":"+*image+"-gzip", dir+"/umoci")
		l.want = l.timed(treetest.Read(l, dir+"/umoci/rootfs"))
	})
	for _, how := range compressions {
		l.step(how+" to a container and back", func(dir string) { l.commit(dir, how) })
		for _, s := range sources {
			l.step(how+" from "+s.name, func(dir string) { l.from(dir, how, s) })
		}
		for _, s := range sinks {
			l.step(how+" to "+s.name, func(dir string) { l.to(dir, how, s) })
		}
	}
}

// newLab makes the image.
func newLab(t *testing.T) *lab {
	t.Helper()
	needs.Root(t, "it unpacks files of others, and mounts overlays")
	for _, name := range []string{"umoci", "skopeo", "docker-registry", "tar", "zstd", "dpkg-deb"} {
		needs.Program(t, name)
	}
	needs.File(t, "/bin/busybox", "busybox-static")
	l := &lab{T: t, program: needs.Built(t, *judged), layout: *layout, dir: scratch(t)}
	if *onDisk {
		d, err := disk.New(t.Context())
		l.must(err)
		t.Cleanup(d.Remove)
		l.disk, l.dir = d, d.Dir
	}
	if l.layout == "" {
		l.layout = filepath.Join(l.dir, "layout")
	}
	l.must(images.Make(t.Context(), l.layout, filepath.Join(l.dir, "packages"), *image))
	return l
}

// scratch is a directory in memory, where files there can have all attributes: making
// and removing many is slow on some disks.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := guard.Memory()
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if unix.Setxattr(dir, "user.test", nil, 0) != nil {
		return t.TempDir() // before Linux 6.6
	}
	return dir
}

// timed is a tree in which the times that umoci did not set, as no layer says them, are
// none.
func (l *lab) timed(tree treetest.Tree) treetest.Tree {
	start := time.Now().Add(-time.Hour)
	for path, e := range tree {
		if e.Time.After(start) {
			e.Time = time.Time{}
			tree[path] = e
		}
	}
	return tree
}

// equal compares a tree with one that umoci has made, or with another.
func (l *lab) equal(what, dir string, want treetest.Tree) {
	l.Helper()
	untimed := func(path, field string) bool { return field == treetest.FieldTime && want[path].Time.IsZero() }
	differences := treetest.Compare(treetest.Read(l, dir), want, untimed)
	if len(differences) > 0 {
		l.Errorf("%s differs in %d places:\n\t%s", what, len(differences), strings.Join(differences[:min(len(differences), 20)], "\n\t"))
	}
}

func (l *lab) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

// step is a part of the test with an empty directory of its own.
func (l *lab) step(name string, act func(dir string)) {
	l.Helper()
	outer := l.T
	outer.Run(name, func(t *testing.T) {
		l.T = t
		defer func() { l.T = outer }()
		l.inDirectory(act)
	})
}

// inDirectory calls act with an empty directory, on a disk of its own if that was asked
// for.
func (l *lab) inDirectory(act func(dir string)) {
	l.Helper()
	if l.disk == nil {
		act(scratch(l.T))
		return
	}
	l.must(l.disk.Fresh(l.Context()))
	defer func() { l.must(l.disk.Leave()) }()
	act(l.disk.MountPoint())
}

// longest is how long a command may take.
const longest = 15 * time.Minute

// run runs a program that is to succeed, and gives what it printed on standard output.
func (l *lab) run(name string, args ...string) string {
	l.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = errors.New(string(exit.Stderr))
		}
		l.Fatalf("%s %s: %v", filepath.Base(name), strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// shim is davit-shim with a store of its own, in a directory.
func (l *lab) shim(dir string) func(args ...string) string {
	return func(args ...string) string {
		l.Helper()
		if slices.Contains([]string{"pull", "load", "save", "push", "unpack", "bundle"}, args[0]) {
			args = slices.Insert(args, 1, "--progress=none")
		}
		return l.run(l.program, append([]string{"--root", dir + "/store"}, args...)...)
	}
}

// skopeo copies an image from one place to another.
func (l *lab) skopeo(from, to string, more ...string) {
	l.Helper()
	l.run("skopeo", append([]string{"copy", "--quiet", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false", from, to}, more...)...)
}

// check unpacks an image in both forms, and compares them with what it is.
func (l *lab) check(dir, name string, want treetest.Tree) {
	l.Helper()
	shim := l.shim(dir)
	shim("bundle", name, dir+"/bundle", "true")
	defer shim("bundle", "--remove", dir+"/bundle")
	if out := l.run("findmnt", "--noheadings", "--output", "FSTYPE", dir+"/bundle/rootfs"); out != "overlay" {
		l.Fatalf("the bundle's root file system is %q", out)
	}
	l.equal("overlayfs", dir+"/bundle/rootfs", want)
	shim("unpack", name, dir+"/plain")
	l.equal("the plain directory", dir+"/plain", want)
	l.must(os.RemoveAll(dir + "/plain"))
}
