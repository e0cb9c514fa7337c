package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroupDir is where every runtime looks for the cgroups.
const cgroupDir = "/sys/fs/cgroup"

// view is what a runtime finds at cgroupDir while it is measured.
type view string

const (
	cgroup2Alone view = "v2"   // cgroup2, with whatever controllers it has here
	cgroup1Alone view = "v1"   // the v1 hierarchies; the unified one is hidden
	hostCgroups  view = "host" // as the machine has them
)

// missingViewError means that this machine cannot show a view.
type missingViewError string

// Error says what is missing.
func (e missingViewError) Error() string { return string(e) }

// parseViews reads a list such as "v2,v1".
func parseViews(list string) ([]view, error) {
	var views []view
	for name := range strings.SplitSeq(list, ",") {
		v := view(name)
		if v != cgroup2Alone && v != cgroup1Alone && v != hostCgroups {
			return nil, fmt.Errorf("view of the cgroups %q: want v2, v1 or host", name)
		}
		views = append(views, v)
	}
	return views, nil
}

// title is the view's name in a sentence.
func (v view) title() string {
	switch v {
	case cgroup2Alone:
		return "cgroup2 alone"
	case cgroup1Alone:
		return "cgroup v1 alone"
	}
	return "the host's cgroups"
}

// show changes what is at cgroupDir, in a mount namespace of our own.
func (v view) show() error {
	switch v {
	case cgroup2Alone:
		return showCgroup2()
	case cgroup1Alone:
		return hideUnified()
	}
	return nil
}

// showCgroup2 leaves cgroup2 as the only hierarchy.
func showCgroup2() error {
	if isCgroup2(cgroupDir) {
		return nil
	}
	if err := unix.Unmount(cgroupDir, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("hiding %s: %w", cgroupDir, err)
	}
	if err := unix.Mount("cgroup2", cgroupDir, "cgroup2", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return missingViewError(fmt.Sprintf("mounting cgroup2: %v", err))
	}
	return nil
}

// hideUnified leaves the v1 hierarchies alone.
func hideUnified() error {
	if isCgroup2(cgroupDir) {
		return missingViewError("this machine has no cgroup v1 hierarchies")
	}
	err := unix.Unmount(cgroupDir+"/unified", unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("hiding %s/unified: %w", cgroupDir, err)
	}
	return nil
}

// isCgroup2 says whether a path is on cgroup2.
func isCgroup2(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
}

// hasController says whether the view at cgroupDir has a controller.
func hasController(name string) bool {
	if !isCgroup2(cgroupDir) {
		_, err := os.Stat(cgroupDir + "/" + name)
		return err == nil
	}
	list, err := os.ReadFile(cgroupDir + "/cgroup.controllers")
	if err != nil {
		return false
	}
	for controller := range strings.FieldsSeq(string(list)) {
		if controller == name {
			return true
		}
	}
	return false
}

// inView calls f on a thread that has a mount namespace of its own, with the
// view at cgroupDir and a tmpfs at dir. Processes that f starts are in that
// namespace too. The thread ends with f, and with it the namespace.
func inView(v view, f func(dir string) error) error {
	dir, err := os.MkdirTemp("", "davit-bench-")
	if err != nil {
		return err
	}
	defer os.Remove(dir)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread is spoilt for others
		err := enter(v, dir)
		if err == nil {
			err = f(dir)
		}
		done <- err
	}()
	return <-done
}

// enter gives the calling thread its namespace.
func enter(v view, dir string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("making a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
		return fmt.Errorf("mounting tmpfs on %s: %w", dir, err)
	}
	return v.show()
}
