package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fs2"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// mkdirAgain bounds how often parents are made anew.
const mkdirAgain = 5

// unified is a cgroup of pure v2, made by ourselves.
type unified struct {
	path   string
	saved  Saved
	limits *cgroups.Resources // nil: another process has made the cgroup
	owner  *int               // uid on the host, or nil to leave it ours
	dir    *os.File           // the directory, O_PATH
	fresh  bool               // we made it: it has no device filter
	reused bool               // it was there before New
}

func newUnified(s Saved, spec *specs.Spec, limits *cgroups.Resources) *unified {
	u := &unified{path: s.Paths[""], saved: s, limits: limits, owner: ownerUID(spec)}
	u.reused = limits != nil && unix.Access(u.path, unix.F_OK) == nil
	return u
}

// joins prefers the clone, but not into a cgroup that has a past.
func (u *unified) joins() Join {
	if u.reused {
		return JoinByAttach
	}
	return JoinByClone
}

func (u *unified) directory() (*os.File, error) {
	if u.dir == nil {
		if err := u.open(); err != nil {
			return nil, fmt.Errorf("opening the cgroup's directory: %w", err)
		}
	}
	return u.dir, nil
}

func (u *unified) stop() error { return nil }

func (u *unified) close() error {
	if u.dir == nil {
		return nil
	}
	dir := u.dir
	u.dir = nil
	return dir.Close()
}

// create makes the directory first and then asks which controllers its parent
// passes on: on a host that already runs containers, all, and that is the end.
func (u *unified) create() error {
	err := u.mkdir()
	if err == nil {
		err = u.open()
	}
	if err == nil {
		err = u.enableControllers()
	}
	if err == nil {
		err = u.delegate()
	}
	if err != nil {
		_ = u.close()
		if u.fresh {
			_ = unix.Rmdir(u.path)
		}
		u.saved.removeParents()
	}
	return err
}

// mkdir makes the cgroup. Missing parents are left to the library, which
// enables controllers on the way.
func (u *unified) mkdir() error {
	switch err := unix.Mkdir(u.path, 0o755); err {
	case nil:
		u.fresh = true
		return nil
	case unix.EEXIST:
		return u.saved.checkUnused()
	case unix.ENOENT:
		if err := u.mkdirAll(); err != nil {
			return u.tolerate(err)
		}
		u.fresh = true
		return nil
	default:
		return u.tolerate(&os.PathError{Op: "mkdir", Path: u.path, Err: err})
	}
}

// mkdirAll makes the cgroup and its parents. A parent may vanish again when the
// last other container in it does.
func (u *unified) mkdirAll() error {
	err := fs2.CreateCgroupPath(u.path, u.config())
	for again := 0; again < mkdirAgain && errors.Is(err, unix.ENOENT); again++ {
		err = fs2.CreateCgroupPath(u.path, u.config())
	}
	return err
}

// tolerate turns the refusal of a cgroup into [ErrRootless] where nobody asked
// for one.
func (u *unified) tolerate(err error) error {
	if !u.saved.Rootless || u.saved.Placed || !refused(err) {
		return err
	}
	if u.limits == nil || onlyDevices(u.limits) {
		return ErrRootless
	}
	// Compat(runc): its integration tests look for this phrase.
	return fmt.Errorf("rootless needs no limits + no cgrouppath when no permission is granted for cgroups: %w", err)
}

// refused reports whether err says that we may not write there.
func refused(err error) bool {
	return errors.Is(err, os.ErrPermission) || errors.Is(err, unix.EROFS)
}

func (u *unified) open() error {
	fd, err := unix.Open(u.path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: u.path, Err: err}
	}
	u.dir = os.NewFile(uintptr(fd), u.path)
	return nil
}

// enableControllers makes all controllers of the machine available in the
// cgroup, as far as its parents allow. The library also refuses a place in a
// threaded subtree where the limits cannot work; there some controllers are
// always missing, so that it is asked.
func (u *unified) enableControllers() error {
	passed, err := readFile(filepath.Dir(u.path) + "/cgroup.subtree_control")
	if err != nil {
		return err
	}
	all, err := readFile(mountpoint + "/cgroup.controllers")
	if err != nil {
		return err
	}
	if passed == all {
		return nil
	}
	return fs2.CreateCgroupPath(u.path, u.config())
}

// config is what the library wants to know.
func (u *unified) config() *cgroups.Cgroup {
	r := u.limits
	if r == nil {
		r = &cgroups.Resources{}
	}
	return &cgroups.Cgroup{Path: strings.TrimPrefix(u.path, mountpoint), Resources: r, Rootless: u.saved.Rootless}
}

func (u *unified) attach(pid int) error {
	if u.dir == nil && u.limits != nil {
		if err := u.create(); err != nil {
			return err
		}
	}
	return cgroups.WriteCgroupProc(u.path, pid)
}

// limit leaves the values to the library, and skips it where there are none.
func (u *unified) limit() error {
	if u.limits == nil {
		return nil
	}
	if !onlyDevices(u.limits) {
		if err := u.limitValues(); err != nil {
			return limitError(u.path, u.limits, err)
		}
	}
	if err := u.limitDevices(); err != nil && !u.saved.Rootless {
		return fmt.Errorf("limiting the devices of cgroup %s: %w [%s]", relative(u.path), err, devicesHint(err))
	}
	return nil
}

func (u *unified) limitValues() error {
	values := *u.limits
	values.Devices = nil
	values.SkipDevices = true
	return u.write(&values)
}

// write lets the library write to the cgroup's files.
func (u *unified) write(values *cgroups.Resources) error {
	config := u.config()
	config.Resources = values
	m, err := fs2.NewManager(config, u.path)
	if err != nil {
		return err
	}
	return m.Set(values)
}

func (u *unified) limitDevices() error {
	policy, err := newDevicePolicy(u.limits.Devices)
	if err != nil {
		return err
	}
	dir, err := u.directory()
	if err != nil {
		return err
	}
	how := confine
	if u.fresh {
		how = confineFresh
	}
	if err := how(int(dir.Fd()), policy); err != nil && !mayGoUnfiltered(err, policy) {
		return err
	}
	return nil
}

// controllers is the content of a cgroup.controllers file.
type controllers string

// readControllers returns the controllers that the cgroup at path has.
func readControllers(path string) (controllers, error) {
	text, err := readFile(path + "/cgroup.controllers")
	return controllers(text), err
}

// has reports whether c names the controller.
func (c controllers) has(controller string) bool {
	for name := range strings.FieldsSeq(string(c)) {
		if name == controller {
			return true
		}
	}
	return false
}
