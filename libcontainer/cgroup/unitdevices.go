package cgroup

import (
	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
	"github.com/opencontainers/cgroups"
	devices "github.com/opencontainers/cgroups/devices/config"
)

// deviceAllow is one element of systemd's DeviceAllow property.
type deviceAllow struct {
	Path        string
	Permissions string
}

// deviceProperties is the library's hook for a unit's device properties: the
// same rules in systemd's words, so that systemd, when it writes its rules
// again (daemon-reload, set-property), takes no device from the container.
//
// systemd knows no denials from a default of allowing, and no "any major, this
// minor". On v2 it is then told to allow everything, and the filter of
// [limitUnitDevices], which it leaves alone, decides. On v1 there is only one
// list, which systemd writes too: there it denies what it cannot express.
func deviceProperties(r *cgroups.Resources, _ int) ([]dbus.Property, error) {
	if r.SkipDevices {
		return nil, nil
	}
	policy, err := newDevicePolicy(r.Devices)
	if err != nil {
		return nil, err
	}
	allowed, complete := policy.deviceAllow()
	if policy.allowsAll() || !complete && cgroups.IsCgroup2UnifiedMode() {
		return deviceProperty("auto", nil), nil
	}
	return deviceProperty("strict", allowed), nil
}

// deviceProperty returns the two properties. The empty list clears the rules
// of a unit that is there already.
func deviceProperty(policy string, allowed []deviceAllow) []dbus.Property {
	list := []dbus.Property{
		{Name: "DeviceAllow", Value: godbus.MakeVariant([]deviceAllow{})},
		{Name: "DevicePolicy", Value: godbus.MakeVariant(policy)},
	}
	if len(allowed) > 0 {
		list = append(list, dbus.Property{Name: "DeviceAllow", Value: godbus.MakeVariant(allowed)})
	}
	return list
}

// deviceAllow returns p in systemd's words, and whether that is all of p.
//
// systemd 240: char-MAJOR, and paths of devices that do not exist.
func (p *devicePolicy) deviceAllow() (list []deviceAllow, complete bool) {
	if p.allow {
		return nil, len(p.exceptions) == 0
	}
	complete = true
	for _, e := range p.listed() {
		path, ok := e.unitPath()
		if !ok {
			complete = false
			continue
		}
		list = append(list, deviceAllow{path, e.access.String()})
	}
	return list, complete
}

// unitPath returns how systemd names the devices of e.
func (e exception) unitPath() (string, bool) {
	kind := "char"
	if e.kind == devices.BlockDevice {
		kind = "block"
	}
	switch {
	case e.major < 0 && e.minor >= 0:
		return "", false
	case e.minor < 0:
		return kind + "-" + number(e.major), true
	}
	return "/dev/" + kind + "/" + number(e.major) + ":" + number(e.minor), true
}
