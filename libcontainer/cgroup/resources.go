package cgroup

import (
	"errors"
	"fmt"
	"maps"

	"github.com/opencontainers/cgroups"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// convert turns linux.resources into the library's form. It returns one
// warning for each value that this cgroup version has no counterpart for, and
// an error where ignoring a value would let the container have more than asked.
//
// Spec: config-linux.md#control-groups
func convert(spec *specs.Spec, v version) (*cgroups.Resources, []string, error) {
	to := &cgroups.Resources{}
	rules, err := deviceRules(spec)
	if err != nil {
		return nil, nil, err
	}
	if _, err := newDevicePolicy(rules); err != nil {
		return nil, nil, err
	}
	to.Devices = rules
	if spec == nil || spec.Linux == nil || spec.Linux.Resources == nil {
		return to, nil, nil
	}
	from := spec.Linux.Resources
	convertMemory(to, from.Memory)
	convertCPU(to, from.CPU)
	convertBlockIO(to, from.BlockIO)
	convertNetwork(to, from.Network)
	if from.Pids != nil {
		to.PidsLimit = from.Pids.Limit
	}
	for _, l := range from.HugepageLimits {
		to.HugetlbLimit = append(to.HugetlbLimit, &cgroups.HugepageLimit{Pagesize: l.Pagesize, Limit: l.Limit})
	}
	convertRdma(to, from.Rdma)
	if len(from.Unified) > 0 {
		to.Unified = maps.Clone(from.Unified)
	}
	return to, ignored(from, v), checkValues(to, v)
}

// checkValues refuses values that cannot be written to this cgroup version.
func checkValues(r *cgroups.Resources, v version) error {
	if v == v1 {
		if r.Unified != nil {
			// Compat(runc): its integration tests look for the first two words.
			return errors.New("invalid configuration: linux.resources.unified needs cgroup v2, and this machine has v1 or hybrid")
		}
		return nil
	}
	if _, err := cgroups.ConvertMemorySwapToCgroupV2Value(r.MemorySwap, r.Memory); err != nil {
		return fmt.Errorf("linux.resources.memory.swap %d: %w", r.MemorySwap, err)
	}
	return nil
}

func convertMemory(to *cgroups.Resources, from *specs.LinuxMemory) {
	if from == nil {
		return
	}
	to.Memory = value(from.Limit)
	to.MemoryReservation = value(from.Reservation)
	to.MemorySwap = value(from.Swap)
	to.MemorySwappiness = from.Swappiness
	to.OomKillDisable = value(from.DisableOOMKiller)
	to.MemoryCheckBeforeUpdate = value(from.CheckBeforeUpdate)
}

func convertCPU(to *cgroups.Resources, from *specs.LinuxCPU) {
	if from == nil {
		return
	}
	to.CpuShares = value(from.Shares)
	to.CpuWeight = cgroups.ConvertCPUSharesToCgroupV2Value(to.CpuShares)
	to.CpuQuota = value(from.Quota)
	to.CpuBurst = from.Burst
	to.CpuPeriod = value(from.Period)
	to.CpuRtRuntime = value(from.RealtimeRuntime)
	to.CpuRtPeriod = value(from.RealtimePeriod)
	to.CpusetCpus = from.Cpus
	to.CpusetMems = from.Mems
	to.CPUIdle = from.Idle
}

func convertBlockIO(to *cgroups.Resources, from *specs.LinuxBlockIO) {
	if from == nil {
		return
	}
	to.BlkioWeight = value(from.Weight)
	to.BlkioLeafWeight = value(from.LeafWeight)
	for _, w := range from.WeightDevice {
		to.BlkioWeightDevice = append(to.BlkioWeightDevice,
			cgroups.NewWeightDevice(w.Major, w.Minor, value(w.Weight), value(w.LeafWeight)))
	}
	to.BlkioThrottleReadBpsDevice = throttles(from.ThrottleReadBpsDevice)
	to.BlkioThrottleWriteBpsDevice = throttles(from.ThrottleWriteBpsDevice)
	to.BlkioThrottleReadIOPSDevice = throttles(from.ThrottleReadIOPSDevice)
	to.BlkioThrottleWriteIOPSDevice = throttles(from.ThrottleWriteIOPSDevice)
}

func throttles(from []specs.LinuxThrottleDevice) []*cgroups.ThrottleDevice {
	var to []*cgroups.ThrottleDevice
	for _, t := range from {
		to = append(to, cgroups.NewThrottleDevice(t.Major, t.Minor, t.Rate))
	}
	return to
}

func convertNetwork(to *cgroups.Resources, from *specs.LinuxNetwork) {
	if from == nil {
		return
	}
	to.NetClsClassid = value(from.ClassID)
	for _, p := range from.Priorities {
		to.NetPrioIfpriomap = append(to.NetPrioIfpriomap,
			&cgroups.IfPrioMap{Interface: p.Name, Priority: int64(p.Priority)})
	}
}

func convertRdma(to *cgroups.Resources, from map[string]specs.LinuxRdma) {
	if len(from) == 0 {
		return
	}
	to.Rdma = make(map[string]cgroups.LinuxRdma, len(from))
	for device, limit := range from {
		to.Rdma[device] = cgroups.LinuxRdma{HcaHandles: limit.HcaHandles, HcaObjects: limit.HcaObjects}
	}
}

// value returns what p points to, or zero, which means "not set" to the library.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// onlyDevices reports whether r sets nothing but the device rules.
func onlyDevices(r *cgroups.Resources) bool { return firstLimit(r) == "" }

// firstLimit names a value that is set, below "linux.resources."; "" where
// there are only device rules.
func firstLimit(r *cgroups.Resources) string {
	for _, f := range fields(r) {
		if f.set {
			return f.name
		}
	}
	if len(r.Unified) > 0 {
		return "unified"
	}
	return ""
}
