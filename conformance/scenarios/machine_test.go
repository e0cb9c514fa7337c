package scenarios

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/internal/view"
)

// prepareMachine changes what is mounted, for this process and those below it, so
// that what engines write outside their own folders goes to a tmpfs at dir or
// elsewhere, and they see nothing of the machine's own.
func prepareMachine(dir string) error {
	steps := []func() error{
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return unix.Mount("proc", "/proc", "proc", 0, "") },
		func() error { return keepFile(filepath.Join(dir, "davit"), func() error { return mountTmpfs(dir) }) },
		func() error { return unmountBelow("/run") },
		func() error { return mountTmpfs("/run") },
		func() error { return mountTmpfs("/dev/shm") },
		func() error { return mountOverlay(dir, "/etc") },
		func() error { return mountOverlay(dir, "/var") },
		func() error { return mountOverlay(dir, "/usr/local") },
		func() error { return mountHierarchies(filepath.Join(dir, "cgroup")) },
		// Engines want what is mounted to go on to their containers.
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "") },
		func() error { return exec.Command("ip", "link", "set", "lo", "up").Run() },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("preparing a machine for engines, step %d: %w", i, err)
		}
	}
	return nil
}

func mountTmpfs(dir string) error { return unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755") }

// unmountBelow unmounts what is mounted in a folder, for this process and those below
// it, so that what is seen there later is what engines left.
func unmountBelow(dir string) error {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for _, line := range slices.Backward(strings.Split(strings.TrimSpace(string(text)), "\n")) {
		if place := strings.Fields(line)[4]; strings.HasPrefix(place, dir+"/") {
			err = errors.Join(err, unix.Unmount(place, unix.MNT_DETACH))
		}
	}
	return err
}

// keepFile takes a file, if there is one, over to what mount mounts on its folder.
func keepFile(path string, mount func() error) error {
	data, err := os.ReadFile(path)
	if err := mount(); err != nil {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return os.WriteFile(path, data, 0o755)
}

// mountOverlay lets what is written to a folder of the machine go to dir instead.
func mountOverlay(dir, folder string) error {
	upper, work := filepath.Join(dir, "upper", folder), filepath.Join(dir, "work", folder)
	for _, d := range []string{upper, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	return unix.Mount("overlay", folder, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", folder, upper, work))
}

// mountHierarchies leaves the v1 hierarchies alone where a machine has both: crun
// starts on none of these otherwise. They are mounted in a folder in which nobody
// can make another, as podman does for controllers that the machine lacks.
func mountHierarchies(dir string) error {
	if view.IsCgroup2(view.Dir) {
		return nil
	}
	hierarchies, err := os.ReadDir(view.Dir)
	if err != nil {
		return err
	}
	for _, h := range hierarchies {
		if h.Name() != "unified" && isCgroup1(filepath.Join(view.Dir, h.Name())) {
			err = errors.Join(err, bind(filepath.Join(view.Dir, h.Name()), filepath.Join(dir, h.Name())))
		}
	}
	return errors.Join(err, bind(dir, view.Dir), unix.Mount("", view.Dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
}

func isCgroup1(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == unix.CGROUP_SUPER_MAGIC
}

// bind mounts a folder, with what is mounted below, on another, which it makes.
func bind(source, dest string) error {
	if err := os.MkdirAll(dest, 0o755); err != nil {
		return err
	}
	return unix.Mount(source, dest, "", unix.MS_BIND|unix.MS_REC, "")
}

// removeCgroups removes the cgroups whose path in a hierarchy begins with name,
// and says which there were.
func removeCgroups(name string) (found []string) {
	_ = filepath.WalkDir(view.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(path, name) {
			found = append(found, path)
		}
		return nil
	})
	for _, path := range slices.Backward(found) {
		_ = os.Remove(path)
	}
	return found
}
