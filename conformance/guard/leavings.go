package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// leavings are what tests have left.
type leavings struct {
	name      string
	temporary string          // the directory of their temporary files
	cgroups   map[string]bool // where processes were that had to be killed
}

// makeTemporary makes the directory of temporary files, anew where a process had the
// same pid whose guard was killed. Users who are not root make files there, too.
func (l *leavings) makeTemporary() error {
	l.temporary = filepath.Join(os.TempDir(), strings.TrimSuffix(l.name, "-"))
	if err := removeTree(l.temporary); err != nil {
		return err
	}
	if err := os.Mkdir(l.temporary, 0o700); err != nil {
		return err
	}
	return os.Chmod(l.temporary, 0o777|fs.ModeSticky)
}

// hierarchies are where cgroups are mounted.
const hierarchies = "/sys/fs/cgroup"

// note notes the cgroups of a process, by the text of its cgroup file, that are not
// this process's or above.
func (l *leavings) note(text string) {
	own, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 || fields[2] == "/" || strings.Contains(fields[2], "/..") || slices.Contains(strings.Split(string(own), "\n"), strings.TrimSpace(line)) {
			continue
		}
		names := append(strings.Split(fields[1], ","), strings.TrimPrefix(fields[1], "name="), fields[1])
		if fields[1] == "" {
			names = []string{"unified", ""}
		}
		for _, name := range names {
			if dir := filepath.Join(hierarchies, name, fields[2]); exists(dir) {
				l.cgroups[dir] = true
			}
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// thaw lets the processes go on that a freezer of cgroup v1 keeps from dying.
func (l *leavings) thaw() {
	for dir := range l.cgroups {
		if state := filepath.Join(dir, "freezer.state"); exists(state) {
			_ = os.WriteFile(state, []byte("THAWED"), 0)
		}
	}
}

// remove removes what is no process.
func (l *leavings) remove() error {
	err := removeTree(l.temporary)
	for _, parent := range []string{os.TempDir(), memory} {
		named, _ := filepath.Glob(filepath.Join(parent, l.name+"*"))
		for _, dir := range named {
			err = errors.Join(err, removeTree(dir))
		}
	}
	for _, pattern := range []string{"", "*"} {
		named, _ := filepath.Glob(filepath.Join(hierarchies, pattern, l.name+"*"))
		for _, dir := range named {
			l.cgroups[dir] = true
		}
	}
	for dir := range l.cgroups {
		err = errors.Join(err, removeCgroup(dir))
	}
	return err
}

// removeTree removes a directory after what is mounted in it.
func removeTree(dir string) error {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	for _, line := range slices.Backward(slices.Collect(strings.Lines(string(text)))) {
		if place := strings.Fields(line)[4]; strings.HasPrefix(place, dir+"/") {
			if err := unix.Unmount(place, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
				return fmt.Errorf("unmounting %s: %w", place, err)
			}
		}
	}
	return os.RemoveAll(dir)
}

// removeCgroup removes a cgroup with those below. Processes that have ended may be in
// it for a while.
func removeCgroup(dir string) error {
	var all []string
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			all = append(all, path)
		}
		return nil
	})
	deadline := time.Now().Add(grace)
	for _, path := range slices.Backward(all) {
		err := unix.Rmdir(path)
		for errors.Is(err, unix.EBUSY) && time.Now().Before(deadline) {
			time.Sleep(10 * time.Millisecond)
			err = unix.Rmdir(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing cgroup %s: %w", path, err)
		}
	}
	return nil
}
