package spec

import (
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// resourceChecks are the rules for cgroup resources, of a configuration or of
// an update.
var resourceChecks = [...]check[specs.LinuxResources]{
	{"device rules", "config-linux.md#allowed-device-list", checkDeviceRules},
	{"memory", "config-linux.md#memory", checkMemory},
	{"cpu", "config-linux.md#cpu", checkCPU},
	{"block io", "config-linux.md#block-io", checkBlockIO},
	{"huge pages", "config-linux.md#huge-page-limits", checkHugePages},
	{"network", "config-linux.md#network", checkNetworkPriorities},
	{"rdma", "config-linux.md#rdma", checkRDMA},
	{"unified", "config-linux.md#unified", checkUnified},
}

// maxWeight is the greatest block I/O weight; the smallest depends on the
// I/O scheduler (10, or 1 with BFQ), so the kernel is left to judge it.
const maxWeight = 1000

func checkDeviceRules(r *specs.LinuxResources) *Error {
	for i := range r.Devices {
		if e := checkDeviceRule(&r.Devices[i]); e != nil {
			return in(at("devices", i), e)
		}
	}
	return nil
}

// checkDeviceRule: the specification does not say what a rule without access
// means; like runc, it is refused. Letters without meaning are not: runc
// ignores them.
func checkDeviceRule(d *specs.LinuxDeviceCgroup) *Error {
	switch d.Type {
	case "", "a", "b", "c":
	default:
		return refuse("type", shown(d.Type)+` is not a device type: "a", "b" and "c" are`)
	}
	switch {
	case d.Access == "":
		return refuse("access", "must not be empty")
	case !ruleNumber(d.Major):
		return refuse("major", strconv.FormatInt(*d.Major, 10)+" is not a device number")
	case !ruleNumber(d.Minor):
		return refuse("minor", strconv.FormatInt(*d.Minor, 10)+" is not a device number")
	}
	return nil
}

// ruleNumber tells whether a device rule can have a number: -1 means all, as
// unset does.
func ruleNumber(n *int64) bool {
	return n == nil || *n >= -1 && *n <= 1<<32-1
}

func checkMemory(r *specs.LinuxResources) *Error {
	m := r.Memory
	if m == nil {
		return nil
	}
	for _, limit := range [...]struct {
		name  string
		bytes *int64
	}{
		{"memory.limit", m.Limit}, {"memory.reservation", m.Reservation}, {"memory.swap", m.Swap},
	} {
		if limit.bytes != nil && *limit.bytes < -1 {
			return refuse(limit.name, strconv.FormatInt(*limit.bytes, 10)+" is neither a number of bytes nor -1, which means unlimited")
		}
	}
	return nil
}

// checkSwap: the limit of memory and swap together cannot be below that of
// memory alone. It is not for updates, which may name one of the two.
func checkSwap(s *specs.Spec) *Error {
	r := linux(s).Resources
	if r == nil || r.Memory == nil {
		return nil
	}
	swap, limit := value(r.Memory.Swap), value(r.Memory.Limit)
	switch {
	case swap <= 0 || limit < 0:
		return nil
	case limit == 0:
		return refuse("linux.resources.memory.swap", "unable to set swap limit without memory limit")
	case swap < limit:
		return refuse("linux.resources.memory.swap", "memory+swap limit should be >= memory limit")
	}
	return nil
}

// value is 0 where a number is not given.
func value[T int64 | uint64](n *T) T {
	if n == nil {
		return 0
	}
	return *n
}

func checkCPU(r *specs.LinuxResources) *Error {
	c := r.CPU
	if c == nil {
		return nil
	}
	switch quota := value(c.Quota); {
	case quota > 0 && value(c.Burst) > uint64(quota):
		return refuse("cpu.burst", "must not be larger than the quota")
	case value(c.Idle) != 0 && *c.Idle != 1:
		return refuse("cpu.idle", "must be 0 or 1")
	case hasNUL(c.Cpus):
		return refuse("cpu.cpus", reasonNUL)
	case hasNUL(c.Mems):
		return refuse("cpu.mems", reasonNUL)
	}
	return nil
}

func checkBlockIO(r *specs.LinuxResources) *Error {
	b := r.BlockIO
	if b == nil {
		return nil
	}
	if e := checkWeights(b.Weight, b.LeafWeight); e != nil {
		return in("blockIO", e)
	}
	for i := range b.WeightDevice {
		d := &b.WeightDevice[i]
		field := at("blockIO.weightDevice", i)
		if d.Weight == nil && d.LeafWeight == nil {
			return refuse(field, "weight or leafWeight must be given")
		}
		if e := checkWeights(d.Weight, d.LeafWeight); e != nil {
			return in(field, e)
		}
		if e := checkBlockDevice(&d.LinuxBlockIODevice); e != nil {
			return in(field, e)
		}
	}
	return checkThrottles(b)
}

func checkWeights(weight, leaf *uint16) *Error {
	switch {
	case weight != nil && *weight > maxWeight:
		return refuse("weight", "must not be greater than 1000")
	case leaf != nil && *leaf > maxWeight:
		return refuse("leafWeight", "must not be greater than 1000")
	}
	return nil
}

func checkThrottles(b *specs.LinuxBlockIO) *Error {
	for _, kind := range [...]struct {
		name string
		list []specs.LinuxThrottleDevice
	}{
		{"blockIO.throttleReadBpsDevice", b.ThrottleReadBpsDevice},
		{"blockIO.throttleWriteBpsDevice", b.ThrottleWriteBpsDevice},
		{"blockIO.throttleReadIOPSDevice", b.ThrottleReadIOPSDevice},
		{"blockIO.throttleWriteIOPSDevice", b.ThrottleWriteIOPSDevice},
	} {
		for i := range kind.list {
			if e := checkBlockDevice(&kind.list[i].LinuxBlockIODevice); e != nil {
				return in(at(kind.name, i), e)
			}
		}
	}
	return nil
}

func checkBlockDevice(d *specs.LinuxBlockIODevice) *Error {
	switch {
	case d.Major < 0:
		return refuse("major", "must not be negative")
	case d.Minor < 0:
		return refuse("minor", "must not be negative")
	}
	return nil
}

func checkHugePages(r *specs.LinuxResources) *Error {
	for i, limit := range r.HugepageLimits {
		size, ok := strings.CutSuffix(limit.Pagesize, "B")
		number := strings.TrimRight(size, "KMG")
		if !ok || len(size)-len(number) != 1 || !digits(number) || number[0] == '0' {
			return refuse(at("hugepageLimits", i)+".pageSize", shown(limit.Pagesize)+` is not a page size such as "64KB", "2MB" or "1GB"`)
		}
	}
	return nil
}

func checkNetworkPriorities(r *specs.LinuxResources) *Error {
	if r.Network == nil {
		return nil
	}
	for i, p := range r.Network.Priorities {
		if !interfaceName(p.Name) {
			return refuse(at("network.priorities", i)+".name", "invalid network device name "+shown(p.Name))
		}
	}
	return nil
}

func checkRDMA(r *specs.LinuxResources) *Error {
	if len(r.Rdma) == 0 {
		return nil
	}
	for _, device := range sortedKeys(r.Rdma) {
		switch limit := r.Rdma[device]; {
		case device == "" || strings.ContainsAny(device, " \t\n\x00/"):
			return refuse(keyed("rdma", device), "not the name of a device")
		case limit.HcaHandles == nil && limit.HcaObjects == nil:
			return refuse(keyed("rdma", device), "hcaHandles or hcaObjects must be given")
		}
	}
	return nil
}

// checkUnified wants names of files in the container's cgroup; which of them
// there are is the kernel's to say.
func checkUnified(r *specs.LinuxResources) *Error {
	if len(r.Unified) == 0 {
		return nil
	}
	for _, name := range sortedKeys(r.Unified) {
		controller, parameter, _ := strings.Cut(name, ".")
		switch {
		case strings.Contains(name, "/"):
			return refuse(keyed("unified", name), "must be a file name (no slashes)")
		case controller == "" || parameter == "" || hasNUL(name):
			return refuse(keyed("unified", name), "must be in the form CONTROLLER.PARAMETER")
		case hasNUL(r.Unified[name]):
			return refuse(keyed("unified", name), reasonNUL)
		}
	}
	return nil
}
