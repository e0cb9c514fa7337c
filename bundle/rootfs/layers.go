package rootfs

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// layers are the directories of a mount, held open: what is mounted is what
// was looked at, whatever happens to the paths.
type layers struct {
	lower       []*os.File
	upper, work *os.File // nil for a read-only view
	target      *os.File
}

// openLayers opens the directories of a spec. Overlayfs wants two layers for a
// read-only view, and one below a writable layer: where there are too few, the
// empty target stands in.
func openLayers(s Spec) (*layers, error) {
	l := &layers{}
	err := l.open(s)
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// open is openLayers, without closing on errors.
func (l *layers) open(s Spec) (err error) {
	if l.target, err = openPath(s.Target); err != nil {
		return fmt.Errorf("mounting an overlay: %w", err)
	}
	for _, dir := range s.Lower {
		f, err := openPath(dir)
		if err != nil {
			return fmt.Errorf("mounting an overlay on %s: the layer: %w", s.Target, err)
		}
		l.lower = append(l.lower, f)
	}
	if s.Upper != "" {
		if l.upper, err = openPath(s.Upper); err != nil {
			return fmt.Errorf("mounting an overlay on %s: the writable layer: %w", s.Target, err)
		}
		if l.work, err = openPath(s.Work); err != nil {
			return fmt.Errorf("mounting an overlay on %s: the work directory: %w", s.Target, err)
		}
		if len(l.lower) > 0 {
			return nil
		}
	} else if len(l.lower) > 1 {
		return nil
	}
	return l.fill(s.Target)
}

// fill adds the target as the furthest layer. It must be empty.
func (l *layers) fill(target string) error {
	if err := checkEmpty(target); err != nil {
		return fmt.Errorf("mounting an overlay on %s: %w", target, err)
	}
	f, err := openPath(target)
	if err != nil {
		return fmt.Errorf("mounting an overlay: %w", err)
	}
	l.lower = append(l.lower, f)
	return nil
}

// close closes the directories.
func (l *layers) close() {
	for _, f := range append([]*os.File{l.upper, l.work, l.target}, l.lower...) {
		if f != nil {
			f.Close()
		}
	}
}

// openPath takes hold of a directory, without reading it.
func openPath(dir string) (*os.File, error) {
	return os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
}

// procPath is a path to what is held open, however long its own path is.
func procPath(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }

// checkEmpty fails with ErrNotEmpty where a directory holds anything.
func checkEmpty(dir string) error {
	f, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	names, _ := f.Readdirnames(1)
	if len(names) > 0 {
		return ErrNotEmpty
	}
	return nil
}

// mountOf says whether a directory that is held open is the root of a mount,
// and gives that mount's number in /proc/self/mountinfo.
//
// Linux 5.8: STATX_MNT_ID and STATX_ATTR_MOUNT_ROOT.
func mountOf(f *os.File) (id uint64, root bool, err error) {
	var st unix.Statx_t
	err = unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st)
	if err == nil && st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT == 0 {
		err = errors.New("the kernel does not tell mounts [needs Linux 5.8]")
	}
	if err != nil {
		return 0, false, fmt.Errorf("looking for a mount at %s: %w", f.Name(), err)
	}
	return st.Mnt_id, st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
}
