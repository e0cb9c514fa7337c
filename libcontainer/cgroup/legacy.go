package cgroup

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fs"
	"github.com/opencontainers/cgroups/systemd"
	"golang.org/x/sys/unix"
)

// legacy is a cgroup of v1, or of a hybrid host, in every hierarchy.
type legacy struct {
	saved  Saved
	limits *cgroups.Resources // nil: another process has made the cgroup
	lib    *fs.Manager
	dir    *os.File // the directory of a hybrid host's v2 hierarchy, O_PATH
	reused bool     // that directory was there before New
}

func newLegacy(s Saved, limits *cgroups.Resources) *legacy {
	l := &legacy{saved: s, limits: limits}
	if path, hybrid := s.Paths[""]; hybrid && limits != nil {
		l.reused = unix.Access(path, unix.F_OK) == nil
	}
	return l
}

// joins prefers that the process moves itself. A rootless caller finds out by
// trying which hierarchies are open to it; a v2 cgroup with a past is not
// cloned into.
func (l *legacy) joins() Join {
	if l.saved.Rootless || l.reused {
		return JoinByAttach
	}
	return JoinBySelf
}

// create makes what a process is cloned into, on a hybrid host.
func (l *legacy) create() error {
	if err := l.saved.checkUnused(); err != nil {
		return err
	}
	path, hybrid := l.saved.Paths[""]
	if !hybrid || l.joins() != JoinBySelf {
		return nil
	}
	_ = makeDir(path) // optional
	return nil
}

// directory is that of the v2 hierarchy on a hybrid host.
func (l *legacy) directory() (*os.File, error) {
	path, hybrid := l.saved.Paths[""]
	if !hybrid || l.dir != nil {
		return l.dir, nil
	}
	dir, err := openCgroup(path)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the cgroup's directory: %w", err)
	}
	l.dir = dir
	return l.dir, nil
}

func (l *legacy) close() error {
	if l.dir == nil {
		return nil
	}
	dir := l.dir
	l.dir = nil
	return dir.Close()
}

func (l *legacy) stop() error { return nil }

// make makes the directories. What must be set before a process comes in is
// the library's.
func (l *legacy) make() error {
	for _, dir := range l.saved.directories() {
		if err := makeDir(dir); err != nil && !l.saved.optional(dir) {
			return err
		}
	}
	if dir, ok := l.saved.Paths["cpuset"]; ok {
		if err := new(fs.CpusetGroup).ApplyDir(dir, l.limits, nobody); err != nil {
			return err
		}
	}
	if dir, ok := l.saved.Paths["cpu"]; ok {
		return new(fs.CpuGroup).SetRtSched(dir, l.limits)
	}
	return nil
}

// nobody is the library's pid for no process.
const nobody = -1

// makeDir makes a cgroup, and its parents where they are missing. One that
// exists is no error.
func makeDir(path string) error {
	switch err := unix.Mkdir(path, 0o755); err {
	case nil, unix.EEXIST:
		return nil
	case unix.ENOENT:
		return makeParents(path)
	default:
		return &os.PathError{Op: "mkdir", Path: path, Err: err}
	}
}

// makeParents makes a cgroup and its parents, which may vanish again when the
// last other container in them does.
func makeParents(path string) error {
	err := os.MkdirAll(path, 0o755)
	for again := 0; again < mkdirAgain && errors.Is(err, unix.ENOENT); again++ {
		err = os.MkdirAll(path, 0o755)
	}
	return err
}

// optional tells whether a container can do without the cgroup at path: it
// belongs to a hierarchy without controllers.
// Compat(runc): goes on where it cannot make those.
func (s Saved) optional(path string) bool {
	for name, p := range s.Paths {
		if p == path && name != "" && !strings.HasPrefix(name, cgroups.CgroupNamePrefix) {
			return false
		}
	}
	return true
}

// manager returns the library's manager, which attach and limit share: it
// remembers the hierarchies that a rootless caller could not join.
func (l *legacy) manager() (*fs.Manager, error) {
	if l.lib != nil {
		return l.lib, nil
	}
	hookDevices()
	limits := l.limits
	if limits == nil {
		limits = &cgroups.Resources{}
	}
	config := &cgroups.Cgroup{Resources: limits, Rootless: l.saved.Rootless}
	if l.saved.Placed {
		config.Path = l.saved.principal()
	}
	var err error
	l.lib, err = fs.NewManager(config, maps.Clone(l.saved.Paths))
	return l.lib, err
}

func (l *legacy) attach(pid int) error {
	m, err := l.manager()
	if err != nil {
		return err
	}
	if l.limits == nil {
		return m.AddPid("", pid)
	}
	err = m.Apply(pid)
	for again := 0; again < mkdirAgain && errors.Is(err, unix.ENOENT); again++ {
		err = m.Apply(pid)
	}
	return err
}

func (l *legacy) limit() error {
	if l.limits == nil {
		return nil
	}
	m, err := l.manager()
	if err != nil {
		return err
	}
	if err := m.Set(l.limits); err != nil {
		return limitError(l.saved.principal(), l.limits, err)
	}
	return nil
}

// hookDevices makes the library use our device rules. Its own package for
// them would hook itself in when it is imported.
var hookDevices = sync.OnceFunc(func() {
	cgroups.DevicesSetV1 = limitLegacyDevices
	cgroups.DevicesSetV2 = limitUnitDevices
	systemd.GenerateDeviceProps = deviceProperties
})

// disabled is the backend of a container without a cgroup.
type disabled struct{}

func (disabled) joins() Join                  { return JoinNone }
func (disabled) directory() (*os.File, error) { return nil, errNoDirectory }
func (disabled) create() error                { return nil }
func (disabled) attach(int) error             { return nil }
func (disabled) limit() error                 { return nil }
func (disabled) close() error                 { return nil }
func (disabled) stop() error                  { return nil }

// newDisabled refuses limits, which nothing would enforce. Device rules are no
// limits in this sense: there are always some.
func newDisabled(limits *cgroups.Resources) (*Manager, error) {
	if field := firstLimit(limits); field != "" {
		return nil, fmt.Errorf("linux.resources.%s cannot be set: cgroups are disabled", field)
	}
	return &Manager{saved: Saved{Driver: Disabled}, backend: disabled{}}, nil
}
