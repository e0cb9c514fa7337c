package rootview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/cyphar/filepath-securejoin/pathrs-lite"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/bundle/rootfs"
	"github.com/davit-containers/davit/libcontainer/rootpath"
	"github.com/davit-containers/davit/shim/bundledir"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/treecopy"
)

// assemble makes the view of a container that does not run.
func assemble(ctx context.Context, c *container.Container) (*View, error) {
	b, err := bundledir.Open(c.Bundle())
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(c.Bundle(), "config.json"))
	if err != nil {
		return nil, err
	}
	var spec specs.Spec
	if err := json.Unmarshal(data, &spec); err != nil {
		return nil, fmt.Errorf("reading config.json: %w", err)
	}
	a := &assembling{bundle: b, spec: &spec}
	if err := onThread(func() error { return a.build(ctx) }); err != nil {
		a.close()
		return nil, err
	}
	return &View{Root: a.root, UIDs: rangesOf(b.UIDs), GIDs: rangesOf(b.GIDs), release: []func(){func() { a.namespace.Close() }}}, nil
}

func rangesOf(mappings []specs.LinuxIDMapping) (all treecopy.IDs) {
	for _, m := range mappings {
		all = append(all, treecopy.Range{Inside: m.ContainerID, Outside: m.HostID, Count: m.Size})
	}
	return all
}

// onThread calls f on a thread of its own, which ends with it, so that it may
// change its namespaces.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked
		done <- f()
	}()
	return <-done
}

// assembling is a view that is being made.
type assembling struct {
	bundle    *bundledir.Bundle
	spec      *specs.Spec
	namespace *os.File // of mounts, which is there as long as it is open
	root      *os.File
}

func (a *assembling) close() {
	for _, f := range []*os.File{a.root, a.namespace} {
		if f != nil {
			f.Close()
		}
	}
}

// build puts the view together on a thread whose namespaces are its own.
func (a *assembling) build(ctx context.Context) error {
	if err := a.unshare(); err != nil {
		return err
	}
	if err := a.bundle.Mount(ctx); err != nil && !errors.Is(err, rootfs.ErrMounted) {
		return err
	}
	root, err := clone(a.bundle.Rootfs(), a.spec.Root.Readonly, unix.AT_RECURSIVE)
	if err != nil {
		return err
	}
	defer root.Close()
	at, err := os.OpenFile(a.bundle.Rootfs(), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer at.Close()
	if err := place(root, at); err != nil {
		return err
	}
	if a.root, err = os.OpenFile(a.bundle.Rootfs(), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0); err != nil {
		return err
	}
	for _, m := range a.spec.Mounts {
		if err := a.bind(m); err != nil {
			return fmt.Errorf("mounting on %s: %w", m.Destination, err)
		}
	}
	return nil
}

// unshare leaves the mounts of everybody else.
func (a *assembling) unshare() (err error) {
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	a.namespace, err = os.Open("/proc/thread-self/ns/mnt")
	return err
}

// kernels are directories of the host that are no files of the container's.
var kernels = []string{"/proc", "/sys", "/dev"}

// bind mounts a file or directory of the host, as the runtime would. What is not
// there is left out: the container could not be started, and its other files are
// there all the same.
func (a *assembling) bind(m specs.Mount) error {
	of := func(dir string) bool { return m.Source == dir || strings.HasPrefix(m.Source, dir+"/") }
	recursive := slices.Contains(m.Options, "rbind")
	if m.Type != "bind" && !recursive && !slices.Contains(m.Options, "bind") || slices.ContainsFunc(kernels, of) {
		return nil
	}
	flags := uint(0)
	if recursive {
		flags = unix.AT_RECURSIVE
	}
	source, err := clone(m.Source, slices.Contains(m.Options, "ro"), flags)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer source.Close()
	dest, err := a.dest(m.Destination, source)
	if dest == nil || err != nil {
		return err
	}
	defer dest.Close()
	return place(source, dest)
}

// dest opens the place of a mount in the root; a directory is made where it is
// missing, as the runtime makes it.
func (a *assembling) dest(path string, source *os.File) (*os.File, error) {
	dest, err := rootpath.Open(a.root, rootpath.InRoot(path))
	if !errors.Is(err, unix.ENOENT) {
		return dest, err
	}
	fi, err := source.Stat()
	if err != nil || !fi.IsDir() {
		return nil, err // a file is missing, and nobody has asked for it
	}
	dest, err = pathrs.MkdirAllHandle(a.root, path, 0o755)
	if errors.Is(err, unix.EROFS) {
		return nil, nil
	}
	return dest, err
}

// clone is a mount of a file or directory that is mounted nowhere yet.
func clone(path string, readOnly bool, flags uint) (*os.File, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|flags)
	if err != nil {
		return nil, &os.PathError{Op: "open_tree", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	if !readOnly {
		return f, nil
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		f.Close()
		return nil, os.NewSyscallError("mount_setattr", err)
	}
	return f, nil
}

// place mounts on the file behind a handle.
func place(mount, dest *os.File) error {
	err := unix.MoveMount(int(mount.Fd()), "", int(dest.Fd()), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
	return os.NewSyscallError("move_mount", err)
}
