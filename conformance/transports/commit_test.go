package transports

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/treetest"
)

// commit changes the image in a bundle: what was done there is in the image that is
// committed of it, in every form, after it was saved and loaded, and for umoci.
func (l *lab) commit(dir, how string) {
	shim, bundle := l.shim(dir), filepath.Join(dir, "bundle")
	shim("pull", l.name(how), "base")
	shim("bundle", "base", bundle, "true")
	root := filepath.Join(bundle, "rootfs")
	l.change(root)
	want := treetest.Read(l, root)
	shim("commit", "--compression", how, bundle, "moved")
	shim("bundle", "--remove", bundle)
	l.check(dir, "moved", want)

	shim("save", "-o", dir+"/saved", "moved")
	l.must(os.Mkdir(dir+"/other", 0o700))
	other := l.shim(dir + "/other")
	other("load", "-i", dir+"/saved")
	if got, want := l.facts(other), l.facts(shim); got != want {
		l.Errorf("the image is\n%s, and was\n%s", got, want)
	}
	l.check(dir+"/other", "moved", want)

	l.skopeo("docker-archive:"+dir+"/saved:moved:latest", "oci:"+dir+"/copied:x")
	l.run("umoci", "unpack", "--image", dir+"/copied:x", dir+"/umoci")
	l.equal("what umoci unpacks", dir+"/umoci/rootfs", l.timed(want))
}

// change does what a container may do to its root file system.
func (l *lab) change(root string) {
	l.Helper()
	at := func(name string) string { return filepath.Join(root, name) }
	for _, err := range []error{
		os.Remove(at("opt/two")),
		os.RemoveAll(at("usr/share/doc")),
		os.MkdirAll(at("usr/share/doc/new"), 0o2711),
		os.WriteFile(at("usr/share/doc/new/file"), []byte("new"), 0o600),
		os.Rename(at("opt/setuid"), at("usr/moved")),
		os.WriteFile(at("opt/setuid"), []byte("another"), 0o644),
		os.Chmod(at("opt/attribute"), 0o604|os.ModeSetuid),
		os.Link(at("opt/ping"), at("usr/bin/linked")),
		os.Symlink("nowhere", at("l")),
		os.Lchown(at("l"), 5, 6),
		unix.Mknod(at("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))),
		unix.Mkfifo(at("fifo"), 0o622),
		unix.Setxattr(at("usr"), "user.dir", []byte("x\x00y"), 0),
		unix.Removexattr(at("opt/attribute"), "user.colour"),
		os.Truncate(at("sparse"), 80<<20),
		os.Remove(at("bin")),
		os.Mkdir(at("bin"), 0o755),
		os.WriteFile(at("bin/in-a-directory"), nil, 0o755),
		os.Chtimes(at("etc"), time.Unix(1, 2), time.Unix(-1000, 999999999)),
	} {
		l.must(err)
	}
	l.must(errors.Join(os.Chown(at("usr/share/doc/new"), 7, 8), os.Chmod(at("usr/share/doc/new"), 0o2711)))
}
