package config

import (
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// devices are those besides the runtime's own, such as /dev/null. The cgroup
// denies all others.
func (m *maker) devices() error {
	rules := []specs.LinuxDeviceCgroup{{Allow: m.o.Privileged, Access: "rwm"}}
	for _, d := range m.o.Devices {
		rule, err := d.rule()
		if err != nil {
			return err
		}
		rules = append(rules, rule)
		if (m.o.Rootless || m.inUserNamespace()) && d.Source != "" && d.Source != d.Path {
			m.gen.Config.Mounts = append(m.gen.Config.Mounts, d.mount())
			continue
		}
		m.gen.AddDevice(d.LinuxDevice)
	}
	if !m.o.Rootless {
		m.gen.Config.Linux.Resources.Devices = append(rules, m.o.DeviceRules...)
	}
	return nil
}

// mount binds a device that has another name on the host: in a user namespace the
// runtime makes no devices, and looks for the host's at the path in the container.
func (d Device) mount() specs.Mount {
	return specs.Mount{Destination: d.Path, Type: "bind", Source: d.Source, Options: []string{"bind", "rprivate", "nosuid", "noexec"}}
}

// rule allows a device.
func (d Device) rule() (specs.LinuxDeviceCgroup, error) {
	access := d.Access
	if access == "" {
		access = "rwm"
	}
	if strings.Trim(access, "rwm") != "" {
		return specs.LinuxDeviceCgroup{}, fmt.Errorf("device %s: access %q is not of r, w and m", d.Path, access)
	}
	major, minor := d.Major, d.Minor
	return specs.LinuxDeviceCgroup{Allow: true, Type: d.Type, Major: &major, Minor: &minor, Access: access}, nil
}
