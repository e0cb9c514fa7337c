package cgroup

import (
	"errors"
	"fmt"
	"maps"
	"os"
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
}

func (l *legacy) joins() Join                  { return JoinByAttach }
func (l *legacy) directory() (*os.File, error) { return nil, errNoDirectory }
func (l *legacy) create() error                { return l.saved.checkUnused() }
func (l *legacy) close() error                 { return nil }
func (l *legacy) stop() error                  { return nil }

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
