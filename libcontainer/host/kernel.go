package host

import (
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/internal/sys"
)

// Version is a kernel's, as far as features depend on it.
type Version struct{ Major, Minor int }

// String is as in "5.14".
func (v Version) String() string { return strconv.Itoa(v.Major) + "." + strconv.Itoa(v.Minor) }

// Before tells whether v is older than w.
func (v Version) Before(w Version) bool {
	return v.Major < w.Major || v.Major == w.Major && v.Minor < w.Minor
}

// Kernel returns the version of the running kernel, 0.0 if it is none that can
// be read.
func Kernel() Version { return kernel() }

var kernel = sync.OnceValue(func() Version {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return Version{}
	}
	return parseVersion(unix.ByteSliceToString(name.Release[:]))
})

// floor is the oldest kernel on which nothing in the features below is missing.
var floor = Version{5, 14}

// features are what no fallback exists for, the oldest first.
var features = [...]struct {
	since Version
	name  string
}{
	{Version{5, 2}, "the mount API with file descriptors (fsopen(2))"},
	{Version{5, 3}, "clone3(2) and pidfd_open(2)"},
	{Version{5, 6}, "openat2(2)"},
	{Version{5, 7}, "CLONE_INTO_CGROUP"},
	{Version{5, 11}, "close_range(2) with CLOSE_RANGE_CLOEXEC"},
	{Version{5, 12}, "mount_setattr(2)"},
	{Version{5, 14}, "cgroup.kill"},
}

// CheckKernel returns an error that names a missing feature when the running
// kernel is older than Linux 5.14.
func CheckKernel() error { return checkKernel(Kernel()) }

func checkKernel(v Version) error {
	if v == (Version{}) {
		return nil // an unreadable version proves nothing
	}
	for _, f := range features {
		if v.Before(f.since) {
			return &sys.UnsupportedError{Feature: f.name, Why: "not in Linux " + v.String(), Since: "Linux " + floor.String()}
		}
	}
	return nil
}

// parseVersion reads the first two numbers of a release such as
// "5.14.0-427.el9.x86_64".
func parseVersion(release string) Version {
	major, rest, _ := strings.Cut(release, ".")
	minor := rest
	if end := strings.IndexFunc(rest, func(c rune) bool { return c < '0' || c > '9' }); end >= 0 {
		minor = rest[:end]
	}
	a, err1 := strconv.Atoi(major)
	b, err2 := strconv.Atoi(minor)
	if err1 != nil || err2 != nil {
		return Version{}
	}
	return Version{a, b}
}
