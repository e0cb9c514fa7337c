package spec

import specs "github.com/opencontainers/runtime-spec/specs-go"

// The greatest numbers of a device that mknod(2) can carry.
const (
	maxMajor = 1<<12 - 1
	maxMinor = 1<<20 - 1
)

func checkDevices(s *specs.Spec) *Error {
	list := linux(s).Devices
	for i := range list {
		if e := checkDevice(&list[i]); e != nil {
			return in(at("linux.devices", i), e)
		}
	}
	return nil
}

// checkDevice cannot see whether the numbers were given: without them a
// device is 0:0.
func checkDevice(d *specs.LinuxDevice) *Error {
	if e := checkPath("path", d.Path); e != nil {
		return e
	}
	switch d.Type {
	case "p":
		return nil
	case "c", "u", "b":
	default:
		return refuse("type", shown(d.Type)+` is not a device type: "c", "b", "u" and "p" are`)
	}
	switch {
	case d.Major < 0 || d.Major > maxMajor:
		return refuse("major", "must be between 0 and 4095")
	case d.Minor < 0 || d.Minor > maxMinor:
		return refuse("minor", "must be between 0 and 1048575")
	}
	return nil
}
