package rootfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// sourceName is what the mount table shows as the source of our mounts.
const sourceName = "davit-rootfs"

// Mount mounts an overlay. It fails with ErrUnsupported where none can be
// mounted, ErrMounted and ErrVolatile; then nothing is mounted. Two mounts must
// not share a writable layer: the caller keeps them apart.
func Mount(ctx context.Context, s Spec) error {
	if err := errors.Join(ctx.Err(), s.check()); err != nil {
		return err
	}
	l, err := openLayers(s)
	if err != nil {
		return err
	}
	defer l.close()
	if _, root, err := mountOf(l.target); err != nil {
		return err
	} else if root {
		return fmt.Errorf("mounting an overlay on %s: %w", s.Target, ErrMounted)
	}
	if err := settleVolatile(s); err != nil {
		return fmt.Errorf("mounting an overlay on %s: the writable layer %s: %w", s.Target, s.Upper, err)
	}
	if err := s.mount(l); err != nil {
		return fmt.Errorf("mounting an overlay on %s: %w", s.Target, err)
	}
	return nil
}

// mount mounts the layers on the target, in the way that the kernel has.
func (s Spec) mount(l *layers) error {
	if !takesLists() {
		return s.mountClassic(l)
	}
	overlay, err := s.create(l)
	if err != nil {
		return err
	}
	defer overlay.Close()
	return unix.MoveMount(int(overlay.Fd()), "", int(l.target.Fd()), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}

// takesLists says whether overlayfs takes its layers one by one. Before it knew
// the new calls it took any option, and told only at the end: so it is asked for
// one that does not exist, too.
//
// Linux 6.7: the parameter lowerdir+.
var takesLists = sync.OnceValue(func() bool {
	fs, err := openOverlay()
	if err != nil {
		return !errors.Is(err, unix.ENOSYS) // any other error is told by Mount
	}
	defer fs.Close()
	takesAnything := unix.FsconfigSetString(int(fs.Fd()), "no-such-option", "/") == nil
	return !takesAnything && unix.FsconfigSetString(int(fs.Fd()), "lowerdir+", "/") == nil
})

// openOverlay begins an overlay.
func openOverlay() (*os.File, error) {
	fd, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, unsupported(err)
	}
	return os.NewFile(uintptr(fd), "overlay"), nil
}

// unsupported marks the errors that say that a kernel has no overlayfs, or not
// for this user.
func unsupported(err error) error {
	switch {
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("%w: %w [the kernel has no overlayfs]", ErrUnsupported, err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: %w [needs CAP_SYS_ADMIN in the namespace of mounts and in its user namespace]", ErrUnsupported, err)
	}
	return err
}

// create makes an overlay that is mounted nowhere.
func (s Spec) create(l *layers) (*os.File, error) {
	fs, err := openOverlay()
	if err != nil {
		return nil, err
	}
	defer fs.Close()
	if err := s.configure(int(fs.Fd()), l); err != nil {
		return nil, explain(fs, err)
	}
	var attributes int
	if s.ReadOnly || s.Upper == "" {
		attributes = unix.MOUNT_ATTR_RDONLY
	}
	fd, err := unix.Fsmount(int(fs.Fd()), unix.FSMOUNT_CLOEXEC, attributes)
	if err != nil {
		return nil, explain(fs, err)
	}
	return os.NewFile(uintptr(fd), "overlay mount"), nil
}

// configure gives a new overlay its layers and options, and has the kernel make it.
func (s Spec) configure(fs int, l *layers) error {
	for _, o := range s.options() {
		if err := setOption(fs, o); err != nil {
			return fmt.Errorf("option %s: %w", o, err)
		}
	}
	for _, dir := range l.lower {
		if err := setLayer(fs, "lowerdir+", dir); err != nil {
			return fmt.Errorf("layer %s: %w", dir.Name(), err)
		}
	}
	if l.upper != nil {
		if err := setLayer(fs, "upperdir", l.upper); err != nil {
			return fmt.Errorf("writable layer %s: %w", l.upper.Name(), err)
		}
		if err := setLayer(fs, "workdir", l.work); err != nil {
			return fmt.Errorf("work directory %s: %w", l.work.Name(), err)
		}
	}
	return unix.FsconfigCreate(fs)
}

// options are the overlay's, each alone. redirect_dir=nofollow neither makes
// nor follows directories whose content is elsewhere, so that a writable layer
// can be read by itself, and so that no layer can point out of its place.
func (s Spec) options() []string {
	options := []string{"source=" + sourceName, "redirect_dir=nofollow", "metacopy=off", "index=off"}
	if s.Userxattr {
		options = append(options, "userxattr")
	}
	if s.Volatile {
		options = append(options, "volatile")
	}
	return options
}

// setOption sets "key=value", or a flag.
func setOption(fs int, option string) error {
	if key, value, ok := strings.Cut(option, "="); ok {
		return unix.FsconfigSetString(fs, key, value)
	}
	return unix.FsconfigSetFlag(fs, option)
}

// setLayer hands over a layer by its descriptor, or where the kernel takes none
// by a path to that descriptor.
func setLayer(fs int, key string, dir *os.File) error {
	if takesDescriptors() {
		return unix.FsconfigSetFd(fs, key, int(dir.Fd()))
	}
	return unix.FsconfigSetString(fs, key, procPath(dir))
}

// takesDescriptors says whether overlayfs takes its layers as descriptors, also
// those of O_PATH.
//
// Linux 6.13: FSCONFIG_SET_FD for layers.
var takesDescriptors = sync.OnceValue(func() bool {
	fs, err := openOverlay()
	if err != nil {
		return false
	}
	defer fs.Close()
	root, err := openPath("/")
	if err != nil {
		return false
	}
	defer root.Close()
	return unix.FsconfigSetFd(int(fs.Fd()), "lowerdir+", int(root.Fd())) == nil
})

// explain adds what the kernel has to say about an overlay to an error.
func explain(fs *os.File, err error) error {
	var said []string
	for {
		line := make([]byte, 1024)
		n, readErr := unix.Read(int(fs.Fd()), line)
		if readErr != nil || n == 0 {
			break
		}
		text := string(bytes.TrimSpace(line[:n]))
		if _, after, ok := strings.Cut(text, " "); ok {
			text = after // the letter of the severity
		}
		said = append(said, strings.TrimPrefix(text, "overlay: "))
	}
	if len(said) > 0 {
		err = fmt.Errorf("%w [the kernel says: %s]", err, strings.Join(said, "; "))
	}
	return unsupported(err)
}

// mountClassic mounts with mount(2), whose options must fit in a page: each
// layer is named by the number of its descriptor, in a thread whose working
// directory is the list of them. That is room for MaxLayers, and for names that
// hold commas and colons.
//
// Linux 6.7 has no need of it: see takesLists.
func (s Spec) mountClassic(l *layers) error {
	options := s.options()[1:] // the source is an argument here
	var lower []string
	for _, dir := range l.lower {
		lower = append(lower, strconv.Itoa(int(dir.Fd())))
	}
	options = append(options, "lowerdir="+strings.Join(lower, ":"))
	if l.upper != nil {
		options = append(options, fmt.Sprintf("upperdir=%d,workdir=%d", l.upper.Fd(), l.work.Fd()))
	}
	data := strings.Join(options, ",")
	if len(data) >= os.Getpagesize() {
		return fmt.Errorf("%d layers, whose list is longer than a page [needs Linux 6.7]", len(l.lower))
	}
	var flags uintptr
	if s.ReadOnly || s.Upper == "" {
		flags = unix.MS_RDONLY
	}
	return unsupported(inDescriptors(func() error {
		return unix.Mount(sourceName, strconv.Itoa(int(l.target.Fd())), "overlay", flags, data)
	}))
}

// inDescriptors calls act on a thread of its own whose working directory is
// /proc/self/fd, and which sees the caller's mounts. The thread ends with it.
func inDescriptors(act func() error) error {
	mounts, err := os.Open("/proc/thread-self/ns/mnt")
	if err != nil {
		return err
	}
	defer mounts.Close()
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked
		err := unix.Unshare(unix.CLONE_FS)
		if err == nil {
			err = enterMounts(mounts)
		}
		if err == nil {
			err = unix.Chdir("/proc/self/fd")
		}
		if err == nil {
			err = act()
		}
		result <- err
	}()
	return <-result
}

// enterMounts brings this thread into a mount namespace, where it is in another: that
// of a thread which has left the process's.
func enterMounts(namespace *os.File) error {
	var here, there unix.Stat_t
	if err := errors.Join(unix.Stat("/proc/thread-self/ns/mnt", &here), unix.Fstat(int(namespace.Fd()), &there)); err != nil {
		return err
	}
	if here.Ino == there.Ino {
		return nil
	}
	return os.NewSyscallError("setns", unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNS))
}
