// Package view shows a runtime one kind of cgroup hierarchy, whatever the
// machine has: it changes what is mounted in a mount namespace of its own.
//
// It is not for making cgroups, nor for limits.
package view

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Dir is where every runtime looks for the cgroups.
const Dir = "/sys/fs/cgroup"

// View is what a runtime finds at Dir.
type View string

// The views.
const (
	V2   View = "v2"   // cgroup2, with whatever controllers it has here
	V1   View = "v1"   // the v1 hierarchies; the unified one is hidden
	Host View = "host" // as the machine has them
)

// MissingError means that this machine cannot show a view.
type MissingError string

// Error says what is missing.
func (e MissingError) Error() string { return string(e) }

// Parse reads a list such as "v2,v1".
func Parse(list string) ([]View, error) {
	var views []View
	for name := range strings.SplitSeq(list, ",") {
		v := View(name)
		if v != V2 && v != V1 && v != Host {
			return nil, fmt.Errorf("view of the cgroups %q: want v2, v1 or host", name)
		}
		views = append(views, v)
	}
	return views, nil
}

// Title is the view's name in a sentence.
func (v View) Title() string {
	switch v {
	case V2:
		return "cgroup2 alone"
	case V1:
		return "cgroup v1 alone"
	}
	return "the host's cgroups"
}

// show changes what is at Dir, in a mount namespace of our own.
func (v View) show() error {
	switch v {
	case V2:
		return showCgroup2()
	case V1:
		return hideUnified()
	}
	return nil
}

// showCgroup2 leaves cgroup2 as the only hierarchy.
func showCgroup2() error {
	if IsCgroup2(Dir) {
		return nil
	}
	if err := unix.Unmount(Dir, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("hiding %s: %w", Dir, err)
	}
	if err := unix.Mount("cgroup2", Dir, "cgroup2", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return MissingError(fmt.Sprintf("mounting cgroup2: %v", err))
	}
	return nil
}

// hideUnified leaves the v1 hierarchies alone.
func hideUnified() error {
	if IsCgroup2(Dir) {
		return MissingError("this machine has no cgroup v1 hierarchies")
	}
	err := unix.Unmount(Dir+"/unified", unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("hiding %s/unified: %w", Dir, err)
	}
	return nil
}

// IsCgroup2 says whether a path is on cgroup2.
func IsCgroup2(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
}

// HasController says whether the view at Dir has a controller.
func HasController(name string) bool {
	if !IsCgroup2(Dir) {
		_, err := os.Stat(Dir + "/" + name)
		return err == nil
	}
	list, err := os.ReadFile(Dir + "/cgroup.controllers")
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

// In calls f on a thread that has a mount namespace of its own, with the
// view at Dir and a tmpfs at dir. Processes that f starts are in that
// namespace too. The thread ends with f, and with it the namespace.
func In(v View, f func(dir string) error) error {
	dir, err := os.MkdirTemp("", "davit-conformance-")
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
func enter(v View, dir string) error {
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
