package cgroup

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/systemd"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// errNoSystemd refuses the driver on other hosts.
var errNoSystemd = errors.New("the systemd cgroup driver needs systemd as PID 1, and /run/systemd/system is not there")

// errRootlessLegacy refuses what systemd cannot delegate to a user.
var errRootlessLegacy = errors.New("the systemd cgroup driver needs cgroup v2 for rootless containers")

// defaultPrefix begins the name of a scope where the configuration has none.
const defaultPrefix = "davit"

// subgroup is crun's annotation that names a cgroup below the scope's; empty
// for none, as here.
const subgroup = "run.oci.systemd.subgroup"

// unit is a cgroup that systemd makes for a transient unit.
type unit struct {
	saved  Saved
	limits *cgroups.Resources // nil: another process has made the cgroup
	config *cgroups.Cgroup
	lib    cgroups.Manager
}

func newUnit(s Saved, spec *specs.Spec, limits *cgroups.Resources) (*unit, error) {
	config := unitConfig(s)
	config.OwnerUID = ownerUID(spec)
	if limits != nil {
		config.Resources = limits
	}
	var err error
	config.SystemdProps, err = unitProperties(annotationsOf(spec))
	return &unit{saved: s, limits: limits, config: config}, err
}

// unitConfig is the library's form of a saved unit.
func unitConfig(s Saved) *cgroups.Cgroup {
	return &cgroups.Cgroup{
		Systemd: true, Rootless: s.Rootless, Resources: &cgroups.Resources{},
		Parent: s.Unit.Slice, ScopePrefix: s.Unit.Prefix, Name: s.Unit.Name,
	}
}

// locateUnit computes the unit and its paths. For a rootless user it asks the
// user's systemd where its cgroup is.
func locateUnit(s Saved, asked, id string) (Saved, error) {
	var err error
	if s.Unit, err = parseUnit(asked, id); err != nil {
		return s, err
	}
	if !systemd.IsRunningSystemd() {
		return s, errNoSystemd
	}
	s.Paths, err = unitPaths(s)
	return s, err
}

// unitPaths lets the library compute the paths, which depend on the slice.
func unitPaths(s Saved) (map[string]string, error) {
	if s.Rootless && !s.Unified {
		return nil, errRootlessLegacy
	}
	m, err := newUnitManager(unitConfig(s), s)
	if err != nil {
		return nil, fmt.Errorf("placing the systemd unit: %w", err)
	}
	return maps.Clone(m.GetPaths()), nil
}

// newUnitManager returns the library's manager; paths that are known already
// are not computed again.
func newUnitManager(config *cgroups.Cgroup, s Saved) (cgroups.Manager, error) {
	hookDevices()
	if s.Unified {
		return systemd.NewUnifiedManager(config, s.Paths[""])
	}
	return systemd.NewLegacyManager(config, maps.Clone(s.Paths))
}

// UserSystemd reports whether the systemd that answers the root of a user
// namespace is a user's own, which makes cgroups below that user's only.
func UserSystemd() bool {
	uid, err := systemd.DetectUID()
	return err == nil && uid != 0
}

// parseUnit reads a cgroupsPath of the form "slice:prefix:name".
func parseUnit(asked, id string) (Unit, error) {
	if asked == "" {
		return Unit{Prefix: defaultPrefix, Name: id}, nil
	}
	parts := strings.Split(asked, ":")
	if len(parts) != 3 {
		return Unit{}, fmt.Errorf(`linux.cgroupsPath %q must be "slice:prefix:name" for the systemd cgroup driver`, asked)
	}
	u := Unit{Slice: parts[0], Prefix: parts[1], Name: parts[2]}
	if u.Name == "" || strings.ContainsAny(asked, "/\n") {
		return Unit{}, fmt.Errorf("linux.cgroupsPath %q does not name a systemd unit", asked)
	}
	if u.Slice != "" {
		if _, err := systemd.ExpandSlice(u.Slice); err != nil {
			return Unit{}, fmt.Errorf("linux.cgroupsPath %q: %w", asked, err)
		}
	}
	return u, nil
}

func (u *unit) joins() Join                  { return JoinByAttach }
func (u *unit) directory() (*os.File, error) { return nil, errNoDirectory }
func (u *unit) create() error                { return u.saved.checkUnused() }
func (u *unit) close() error                 { return nil }

// manager returns the library's manager. It connects to systemd when first used.
func (u *unit) manager() (cgroups.Manager, error) {
	if u.lib != nil {
		return u.lib, nil
	}
	var err error
	u.lib, err = newUnitManager(u.config, u.saved)
	return u.lib, err
}

func (u *unit) attach(pid int) error {
	if !systemd.IsRunningSystemd() {
		return errNoSystemd
	}
	m, err := u.manager()
	if err != nil {
		return err
	}
	if u.limits == nil {
		err = m.AddPid("", pid)
	} else {
		err = m.Apply(pid)
	}
	if err != nil {
		return oneLine(err)
	}
	return nil
}

func (u *unit) limit() error {
	if u.limits == nil {
		return nil
	}
	m, err := u.manager()
	if err != nil {
		return err
	}
	if err := m.Set(u.limits); err != nil {
		return limitError(u.saved.principal(), u.limits, err)
	}
	return nil
}

// stop stops the unit, which removes its cgroup, and clears its failed state.
// Where systemd does not run there is no unit.
func (u *unit) stop() error {
	if !systemd.IsRunningSystemd() {
		return nil
	}
	m, err := u.manager()
	if err != nil {
		return err
	}
	if err := m.Destroy(); err != nil {
		return fmt.Errorf("stopping the systemd unit: %w", oneLine(err))
	}
	return nil
}

// propertyPrefix begins the annotations that become properties of the unit.
const propertyPrefix = "org.systemd.property."

// unitProperties converts annotations to properties of the unit, in order of
// their names. A value is written as D-Bus text: 'str', true, uint64 5.
// Names in ...Sec take seconds and become ...USec.
func unitProperties(annotations map[string]string) ([]dbus.Property, error) {
	if sub := annotations[subgroup]; sub != "" {
		return nil, fmt.Errorf("annotation %s=%s: not supported: the container is in the scope's own cgroup", subgroup, sub)
	}
	var list []dbus.Property
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		name, ok := strings.CutPrefix(key, propertyPrefix)
		if !ok {
			continue
		}
		p, err := unitProperty(name, annotations[key])
		if err != nil {
			return nil, fmt.Errorf("annotation %s=%s: %w", key, annotations[key], err)
		}
		list = append(list, p)
	}
	return list, nil
}

func unitProperty(name, text string) (p dbus.Property, err error) {
	letter := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
	if len(name) < 3 || strings.ContainsFunc(name, func(r rune) bool { return !letter(r) }) {
		return p, fmt.Errorf("%q cannot be the name of a property", name)
	}
	v, err := godbus.ParseVariant(text, godbus.Signature{})
	if err != nil {
		return p, fmt.Errorf("parsing the value: %w", err)
	}
	if stem, ok := strings.CutSuffix(name, "Sec"); ok && stem != "" && stem[len(stem)-1] >= 'a' {
		name = stem + "USec"
		if v, err = microseconds(v); err != nil {
			return p, err
		}
	}
	return dbus.Property{Name: name, Value: v}, nil
}

// microseconds converts a number of seconds of any D-Bus type.
func microseconds(v godbus.Variant) (godbus.Variant, error) {
	const million = 1_000_000
	var us uint64
	switch n := v.Value().(type) {
	case byte:
		us = uint64(n) * million
	case int16:
		us = uint64(n) * million
	case uint16:
		us = uint64(n) * million
	case int32:
		us = uint64(n) * million
	case uint32:
		us = uint64(n) * million
	case int64:
		us = uint64(n) * million
	case uint64:
		us = n * million
	case float64:
		us = uint64(n * million)
	default:
		return v, errors.New("a number of seconds is needed")
	}
	return godbus.MakeVariant(us), nil
}

// limitUnitDevices is the library's hook for the device filter of a v2 unit.
// systemd has attached a filter of its own, which ours replaces; should
// systemd attach it again, a device needs the consent of both.
func limitUnitDevices(path string, r *cgroups.Resources) error {
	if r.SkipDevices {
		return nil
	}
	policy, err := newDevicePolicy(r.Devices)
	if err != nil {
		return err
	}
	dir, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(dir)
	if err := confine(dir, policy); err != nil && !mayGoUnfiltered(err, policy) {
		return err
	}
	return nil
}
