package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/idmap"
)

// rootfsName is where in a bundle a root file system is mounted.
const rootfsName = "rootfs"

// mountRootfs makes the root file system of what the creator named.
func mountRootfs(c *Create) error {
	if len(c.Rootfs) == 0 {
		return nil
	}
	root := filepath.Join(c.Bundle, rootfsName)
	if err := os.Mkdir(root, 0o711); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("making %s: %w", root, err)
	}
	for i := range c.Rootfs {
		if err := c.Rootfs[i].mount(root); err != nil {
			return fmt.Errorf("mounting the root file system: %w", err)
		}
	}
	return nil
}

// flags are the mount options that are not a file system's own.
var flags = map[string]struct {
	set, clear uintptr
}{
	"async": {0, unix.MS_SYNCHRONOUS}, "atime": {0, unix.MS_NOATIME}, "bind": {unix.MS_BIND, 0},
	"defaults": {0, 0}, "dev": {0, unix.MS_NODEV}, "diratime": {0, unix.MS_NODIRATIME},
	"dirsync": {unix.MS_DIRSYNC, 0}, "exec": {0, unix.MS_NOEXEC}, "mand": {unix.MS_MANDLOCK, 0},
	"noatime": {unix.MS_NOATIME, 0}, "nodev": {unix.MS_NODEV, 0}, "nodiratime": {unix.MS_NODIRATIME, 0},
	"noexec": {unix.MS_NOEXEC, 0}, "nomand": {0, unix.MS_MANDLOCK}, "norelatime": {0, unix.MS_RELATIME},
	"nostrictatime": {0, unix.MS_STRICTATIME}, "nosuid": {unix.MS_NOSUID, 0}, "rbind": {unix.MS_BIND | unix.MS_REC, 0},
	"relatime": {unix.MS_RELATIME, 0}, "remount": {unix.MS_REMOUNT, 0}, "ro": {unix.MS_RDONLY, 0},
	"rw": {0, unix.MS_RDONLY}, "strictatime": {unix.MS_STRICTATIME, 0}, "suid": {0, unix.MS_NOSUID},
	"sync": {unix.MS_SYNCHRONOUS, 0},
}

// propagations are those that a second call sets.
var propagations = map[string]uintptr{
	"private": unix.MS_PRIVATE, "rprivate": unix.MS_PRIVATE | unix.MS_REC,
	"shared": unix.MS_SHARED, "rshared": unix.MS_SHARED | unix.MS_REC,
	"slave": unix.MS_SLAVE, "rslave": unix.MS_SLAVE | unix.MS_REC,
	"unbindable": unix.MS_UNBINDABLE, "runbindable": unix.MS_UNBINDABLE | unix.MS_REC,
}

// parsed are a mount's options, by what is done with them.
type parsed struct {
	flags, propagation uintptr
	data               []string
	maps               idmap.Maps // of the ids; none for as they are
}

func parseOptions(options []string) (p parsed, err error) {
	for _, o := range options {
		if f, ok := flags[o]; ok {
			p.flags = p.flags&^f.clear | f.set
			continue
		}
		if f, ok := propagations[o]; ok {
			p.propagation = f
			continue
		}
		if err := p.other(o); err != nil {
			return p, err
		}
	}
	return p, nil
}

// other takes an option that is no flag.
func (o *parsed) other(option string) (err error) {
	switch name, value, _ := strings.Cut(option, "="); {
	case name == uidMapOption:
		o.maps.UIDs, err = parseMap(value)
	case name == gidMapOption:
		o.maps.GIDs, err = parseMap(value)
	case option == "loop" || strings.HasPrefix(option, "X-containerd."):
		err = fmt.Errorf("the option %s is not one that this shim knows", option)
	default:
		o.data = append(o.data, option)
	}
	return err
}

// mount mounts at a directory, or below it.
func (m *Mount) mount(root string) error {
	target := root
	if m.Target != "" {
		target = filepath.Join(root, m.Target)
	}
	o, err := parseOptions(m.Options)
	if err == nil {
		err = o.mount(m, target)
	}
	if err != nil {
		return fmt.Errorf("%s at %s: %w", m.Type, target, err)
	}
	return nil
}

func (o *parsed) mount(m *Mount, target string) error {
	if o.maps.UIDs != nil || o.maps.GIDs != nil {
		return o.mountMapped(m, target)
	}
	return o.mountPlain(m, target)
}

func (o *parsed) mountPlain(m *Mount, target string) error {
	data := strings.Join(o.data, ",")
	err := error(nil)
	if len(data) < os.Getpagesize() {
		err = unix.Mount(m.Source, target, m.Type, o.flags&^unix.MS_REMOUNT, data)
	} else {
		err = o.mountShort(m, target)
	}
	const ofBind = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME | unix.MS_RELATIME
	if err == nil && o.flags&unix.MS_BIND != 0 && o.flags&ofBind != 0 {
		err = unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_BIND|o.flags&ofBind, "")
	}
	if err == nil && o.propagation != 0 {
		err = unix.Mount("", target, "", o.propagation, "")
	}
	return err
}

// mountShort mounts an overlay of so many layers that their names do not fit
// into a page: by the names that they have in the directory that they share,
// from a thread that is there.
func (o *parsed) mountShort(m *Mount, target string) error {
	dir, data := shorten(o.data)
	if dir == "" || len(data) >= os.Getpagesize() {
		return errors.New("the options are longer than a page")
	}
	err := error(nil)
	onOwnThread(func() {
		if err = unix.Unshare(unix.CLONE_FS); err != nil {
			return
		}
		if err = unix.Chdir(dir); err == nil {
			err = unix.Mount(m.Source, target, m.Type, o.flags, data)
		}
	})
	return err
}

// shorten gives the directory that all lower layers share, and the options
// with their names in it.
func shorten(options []string) (dir, data string) {
	short := append([]string(nil), options...)
	for i, o := range short {
		list, ok := strings.CutPrefix(o, "lowerdir=")
		if !ok {
			continue
		}
		lower := strings.Split(list, ":")
		dir = filepath.Dir(lower[0])
		for _, l := range lower {
			for dir != "/" && !strings.HasPrefix(l, dir+"/") {
				dir = filepath.Dir(dir)
			}
		}
		for j := range lower {
			lower[j] = strings.TrimPrefix(strings.TrimPrefix(lower[j], dir), "/")
		}
		short[i] = "lowerdir=" + strings.Join(lower, ":")
	}
	return dir, strings.Join(short, ",")
}

// UnmountRootfs unmounts what is mounted at a bundle's root file system, and
// below it. Nothing there is fine.
func UnmountRootfs(bundle string) error {
	root := filepath.Join(bundle, rootfsName)
	err := unix.Unmount(root, unix.UMOUNT_NOFOLLOW)
	if err == unix.ENOENT || err == unix.EINVAL && !mounted(root) {
		return nil
	}
	for err != nil && mounted(root) {
		if err = unmountBelow(root); err != nil {
			return fmt.Errorf("unmounting %s: %w", root, err)
		}
	}
	for mounted(root) {
		if err := unix.Unmount(root, unix.UMOUNT_NOFOLLOW|unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmounting %s: %w", root, err)
		}
	}
	return nil
}

func mounted(root string) bool {
	is, err := mountinfo.Mounted(root)
	return err == nil && is
}

// unmountBelow unmounts a tree, the last mounted first. What is in use goes
// when it is no longer.
func unmountBelow(root string) error {
	list, err := mountinfo.GetMounts(mountinfo.PrefixFilter(root))
	if err != nil {
		return err
	}
	for i := len(list) - 1; i >= 0; i-- {
		err = unix.Unmount(list[i].Mountpoint, unix.UMOUNT_NOFOLLOW)
		if err == unix.EBUSY {
			err = unix.Unmount(list[i].Mountpoint, unix.UMOUNT_NOFOLLOW|unix.MNT_DETACH)
		}
		if err != nil && err != unix.EINVAL {
			return err
		}
	}
	return nil
}
