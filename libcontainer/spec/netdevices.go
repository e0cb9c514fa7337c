package spec

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// maxInterfaceName is the most bytes of a network device's name: IFNAMSIZ
// with the NUL byte.
const maxInterfaceName = 15

func checkNetDevices(s *specs.Spec) *Error {
	devices := linux(s).NetDevices
	if len(devices) == 0 {
		return nil
	}
	if _, present := Namespace(s, specs.NetworkNamespace); !present {
		return refuse("linux.netDevices", "unable to move network devices without a NET namespace")
	}
	names := make(map[string]string, len(devices)) // in the container -> on the host
	for _, host := range sortedKeys(devices) {
		field := keyed("linux.netDevices", host)
		name := devices[host].Name
		switch {
		case !interfaceName(host):
			return refuse(field, "invalid network device name "+shown(host))
		case name == "":
			name = host
		case !interfaceName(name):
			return refuse(field+".name", "invalid network device name "+shown(name))
		}
		// The kernel makes names of a template with %d unique.
		if other, taken := names[name]; taken && !strings.Contains(name, "%d") {
			return refuse(field+".name", shown(name)+" is the name of "+shown(other)+" too")
		}
		names[name] = host
	}
	return nil
}

// interfaceName follows the kernel's dev_valid_name.
func interfaceName(name string) bool {
	return name != "" && len(name) <= maxInterfaceName && name != "." && name != ".." &&
		!strings.ContainsAny(name, "/: \t\n\v\f\r\x00\xa0")
}
