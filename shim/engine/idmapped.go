package engine

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/idmap"
)

// Compat(containerd): the options by which its snapshotters ask for ids that are
// mapped by the mount: CONTAINER:HOST:SIZE, of which there may be several. They are
// containerd's own, not the kernel's.
const (
	uidMapOption = "uidmap"
	gidMapOption = "gidmap"
)

// parseMap reads an option's value.
func parseMap(text string) (list []specs.LinuxIDMapping, err error) {
	for entry := range strings.SplitSeq(text, ",") {
		var ids [3]uint32
		words := strings.Split(entry, ":")
		if len(words) != len(ids) {
			return nil, fmt.Errorf("the map of ids %q is not CONTAINER:HOST:SIZE", entry)
		}
		for i, word := range words {
			n, err := strconv.ParseUint(word, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("the map of ids %q is not CONTAINER:HOST:SIZE", entry)
			}
			ids[i] = uint32(n)
		}
		list = append(list, specs.LinuxIDMapping{ContainerID: ids[0], HostID: ids[1], Size: ids[2]})
	}
	return list, nil
}

// mountMapped mounts where ids are to be mapped: the lower layers of an overlay, or
// all of another mount.
// Linux 5.12: mount_setattr(2) with MOUNT_ATTR_IDMAP; 5.19 below an overlay.
func (o *parsed) mountMapped(m *Mount, target string) error {
	if o.maps.UIDs == nil || o.maps.GIDs == nil {
		return errors.New("ids of one kind alone are to be mapped")
	}
	userns, err := idmap.UserNS(o.maps)
	if err != nil {
		return err
	}
	defer userns.Close()
	mount, err := apart(func() (int, error) { return o.build(m, target, userns) })
	if err != nil {
		return err
	}
	defer unix.Close(mount)
	if err := unix.MoveMount(mount, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return os.NewSyscallError("move_mount", err)
	}
	return nil
}

// apart calls do with mounts that nobody else sees, and that end with it: a layer
// has to be mounted somewhere to be mapped, and must not be left there by whoever
// is killed.
func apart(do func() (int, error)) (fd int, err error) {
	onOwnThread(func() {
		if err = unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
			err = os.NewSyscallError("unshare", err)
			return
		}
		if err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			err = os.NewSyscallError("mount", err)
			return
		}
		fd, err = do()
	})
	return fd, err
}

// onOwnThread calls do on a thread that ends with it, whatever do makes of the
// thread: not on the process's first one, which does not end, and is what /proc/self
// shows.
func onOwnThread(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			onOwnThread(do) // another one, as this one is taken
			return
		}
		do()
	}()
	<-done
}

// build makes the mount, at a place that only this thread sees, and gives it apart
// from there.
func (o *parsed) build(m *Mount, place string, userns *os.File) (int, error) {
	if m.Type != "overlay" {
		if err := o.mountPlain(m, place); err != nil {
			return -1, err
		}
		return mapped(place, userns)
	}
	if err := unix.Mount("tmpfs", place, "tmpfs", 0, "mode=0700"); err != nil {
		return -1, os.NewSyscallError("mount", err)
	}
	if err := unix.Chdir(place); err != nil {
		return -1, os.NewSyscallError("chdir", err)
	}
	data, err := mapLayers(o.data, userns)
	if err != nil {
		return -1, err
	}
	const overlay = "overlay"
	if err := os.Mkdir(overlay, 0o700); err != nil {
		return -1, err
	}
	if err := unix.Mount(m.Source, overlay, m.Type, o.flags, strings.Join(data, ",")); err != nil {
		return -1, err
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, overlay, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	return fd, os.NewSyscallError("open_tree", err)
}

// mapLayers mounts the lower layers with mapped ids, by their numbers in the working
// directory, and gives the options with these for names.
func mapLayers(options []string, userns *os.File) ([]string, error) {
	out := append([]string(nil), options...)
	for i, o := range out {
		list, ok := strings.CutPrefix(o, "lowerdir=")
		if !ok {
			continue
		}
		layers := strings.Split(list, ":")
		for n, layer := range layers {
			layers[n] = strconv.Itoa(n)
			if err := mapLayer(layer, layers[n], userns); err != nil {
				return nil, fmt.Errorf("the layer %s: %w", layer, err)
			}
		}
		out[i] = "lowerdir=" + strings.Join(layers, ":")
	}
	return out, nil
}

func mapLayer(layer, name string, userns *os.File) error {
	if err := os.Mkdir(name, 0o700); err != nil {
		return err
	}
	fd, err := mapped(layer, userns)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return os.NewSyscallError("move_mount", unix.MoveMount(fd, "", unix.AT_FDCWD, name, unix.MOVE_MOUNT_F_EMPTY_PATH))
}

// mapped is a mount apart from any place, of what is at a path, with mapped ids.
func mapped(path string, userns *os.File) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("open_tree", err)
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Propagation: unix.MS_PRIVATE, Userns_fd: uint64(userns.Fd())}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("mount_setattr", err)
	}
	return fd, nil
}
