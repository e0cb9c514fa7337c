package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/cgroups"
	"golang.org/x/sys/unix"
)

// ErrRootless is returned by Create and Attach where a rootless caller may not
// have a cgroup, and the configuration names neither a place nor limits. The
// caller goes on without one; unless the container has a PID namespace of its
// own, that deserves a warning, because its processes cannot all be found.
var ErrRootless = errors.New("rootless: no permission for a cgroup, and none needed")

// DeniedError refuses limits for which a rootless caller may not make a cgroup.
type DeniedError struct {
	Field string // of the configuration, that sets a limit
}

// Error names the field.
// Compat(runc): its integration tests look for this phrase.
func (e *DeniedError) Error() string {
	return "rootless needs no limits + no cgrouppath when no permission is granted for cgroups [" + e.Field + " is set]"
}

// isRootless reports whether err is [ErrRootless], or the library's word for it.
func isRootless(err error) bool {
	return errors.Is(err, ErrRootless) || errors.Is(err, cgroups.ErrRootless)
}

// errBusy says that processes are left when the time for waiting is over.
var errBusy = errors.New("timed out")

// missingError says that a file of a cgroup is not there, in words that no
// engine takes for a missing program.
//
// Compat(podman): takes "no such file or directory" for exit status 127.
type missingError struct {
	reason string
	err    error
}

func (e *missingError) Error() string { return e.reason }
func (e *missingError) Unwrap() error { return e.err }

// limitError words an error of the library, which has met one of a cgroup's
// files: which file, of which cgroup, which value, and which field asked.
func limitError(dir string, limits *cgroups.Resources, err error) error {
	var at *fs.PathError
	if !errors.As(err, &at) {
		return fmt.Errorf("limiting cgroup %s: %w", relative(dir), oneLine(err))
	}
	file := filepath.Base(at.Path)
	if filepath.IsAbs(at.Path) {
		dir = filepath.Dir(at.Path)
	}
	value := ""
	if v, ok := written(err.Error()); ok {
		value = " to " + v
	}
	cause := at.Err
	if errors.Is(cause, unix.ENOENT) {
		cause = &missingError{missing(dir, file), cause}
	}
	return fmt.Errorf("setting %s of cgroup %s%s: %w [%s]", file, relative(dir), value, cause, fieldOf(file, limits))
}

// written finds the value that the library could not write in its message.
func written(message string) (string, bool) {
	_, rest, found := strings.Cut(message, "failed to write ")
	if !found {
		return "", false
	}
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return "", false
	}
	value, err := strconv.Unquote(quoted)
	if err != nil || strings.ContainsAny(value, " \n") {
		return quoted, err == nil
	}
	return value, true
}

// missing says why file is not in dir: its controller is not there, or the
// controller is, and the kernel has no such file.
func missing(dir, file string) string {
	controller, _, _ := strings.Cut(file, ".")
	if have, err := readControllers(dir); err == nil && !have.has(controller) {
		return "the " + controller + " controller is not available"
	}
	return "this kernel's " + controller + " controller has no such file"
}

// oneLine keeps a message of the library to one line.
func oneLine(err error) error {
	message := err.Error()
	if !strings.Contains(message, "\n") {
		return err
	}
	return &missingError{strings.ReplaceAll(message, "\n", " "), err}
}

// relative returns a cgroup's path below its mount point, as /proc/PID/cgroup
// shows it, as far as the usual place of the mount tells.
func relative(dir string) string {
	rel, ok := strings.CutPrefix(dir, mountpoint)
	if !ok {
		return dir
	}
	if rel == "" {
		return "/"
	}
	return rel
}
