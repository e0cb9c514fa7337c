package cgroup

import (
	"fmt"
	"strings"

	"github.com/opencontainers/cgroups"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// field is one value below linux.resources.
type field struct {
	name       string // below "linux.resources."
	controller string // of cgroup v1
	set        bool
}

// fields lists the values of r, without devices and unified.
func fields(r *cgroups.Resources) []field {
	return []field{
		{"memory.limit", "memory", r.Memory != 0},
		{"memory.swap", "memory", r.MemorySwap != 0},
		{"memory.reservation", "memory", r.MemoryReservation != 0},
		{"memory.swappiness", "memory", r.MemorySwappiness != nil && int64(*r.MemorySwappiness) != -1},
		{"memory.disableOOMKiller", "memory", r.OomKillDisable},
		{"cpu.shares", "cpu", r.CpuShares != 0},
		{"cpu.quota", "cpu", r.CpuQuota != 0},
		{"cpu.period", "cpu", r.CpuPeriod != 0},
		{"cpu.burst", "cpu", r.CpuBurst != nil},
		{"cpu.realtimeRuntime", "cpu", r.CpuRtRuntime != 0},
		{"cpu.realtimePeriod", "cpu", r.CpuRtPeriod != 0},
		{"cpu.idle", "cpu", r.CPUIdle != nil},
		{"cpu.cpus", "cpuset", r.CpusetCpus != ""},
		{"cpu.mems", "cpuset", r.CpusetMems != ""},
		{"pids.limit", "pids", r.PidsLimit != nil},
		{"blockIO", "blkio", setsBlockIO(r)},
		{"hugepageLimits", "hugetlb", len(r.HugetlbLimit) > 0},
		{"rdma", "rdma", len(r.Rdma) > 0},
		{"network.classID", "net_cls", r.NetClsClassid != 0},
		{"network.priorities", "net_prio", len(r.NetPrioIfpriomap) > 0},
	}
}

func setsBlockIO(r *cgroups.Resources) bool {
	return r.BlkioWeight != 0 || r.BlkioLeafWeight != 0 ||
		len(r.BlkioWeightDevice)+len(r.BlkioThrottleReadBpsDevice)+len(r.BlkioThrottleWriteBpsDevice)+
			len(r.BlkioThrottleReadIOPSDevice)+len(r.BlkioThrottleWriteIOPSDevice) > 0
}

// checkControllers refuses a limit whose v1 controller is not mounted. On v2
// the controllers of a cgroup are known only when it exists: there the write
// fails, with the same words.
func checkControllers(r *cgroups.Resources, s Saved) error {
	if s.Unified {
		return nil
	}
	for _, f := range fields(r) {
		_, mounted := s.Paths[f.controller]
		if f.set && !mounted && s.Rootless {
			// Compat(runc): its integration tests look for this phrase.
			return fmt.Errorf("cannot set %s limit: container could not join or create cgroup [linux.resources.%s]", f.controller, f.name)
		}
		if f.set && !mounted {
			return fmt.Errorf("linux.resources.%s cannot be set: the %s controller of cgroup v1 is not mounted", f.name, f.controller)
		}
	}
	return nil
}

// fieldOf returns the field of the configuration that file stands for.
func fieldOf(file string, r *cgroups.Resources) string {
	if r != nil {
		if _, ok := r.Unified[file]; ok {
			return "linux.resources.unified"
		}
	}
	return "linux.resources." + fieldOfFile(file)
}

func fieldOfFile(file string) string {
	switch file {
	case "memory.max", "memory.limit_in_bytes":
		return "memory.limit"
	case "memory.swap.max", "memory.memsw.limit_in_bytes":
		return "memory.swap"
	case "memory.low", "memory.soft_limit_in_bytes":
		return "memory.reservation"
	case "memory.swappiness":
		return "memory.swappiness"
	case "memory.oom_control":
		return "memory.disableOOMKiller"
	case "cpu.weight", "cpu.shares":
		return "cpu.shares"
	case "cpu.max", "cpu.cfs_quota_us":
		return "cpu.quota"
	case "cpu.cfs_period_us":
		return "cpu.period"
	case "cpu.max.burst", "cpu.cfs_burst_us":
		return "cpu.burst"
	case "cpu.rt_runtime_us":
		return "cpu.realtimeRuntime"
	case "cpu.rt_period_us":
		return "cpu.realtimePeriod"
	case "cpu.idle":
		return "cpu.idle"
	case "cpuset.cpus", "cpuset.mems", "cpus", "mems":
		return "cpu." + strings.TrimPrefix(file, "cpuset.")
	case "pids.max":
		return "pids.limit"
	}
	return fieldOfController(file)
}

func fieldOfController(file string) string {
	controller, _, _ := strings.Cut(file, ".")
	switch controller {
	case "io", "blkio":
		return "blockIO"
	case "hugetlb":
		return "hugepageLimits"
	case "net_cls":
		return "network.classID"
	case "net_prio":
		return "network.priorities"
	}
	return controller
}

// ignored words a warning for each value that has no effect here.
func ignored(from *specs.LinuxResources, v version) []string {
	var warnings []string
	warn := func(set bool, field, why string) {
		if set {
			warnings = append(warnings, "linux.resources."+field+" is ignored: "+why)
		}
	}
	const noKernel = "Linux has no limit on kernel memory any more"
	const noV2 = "cgroup v2 has no such setting"
	if m := from.Memory; m != nil {
		warn(m.Kernel != nil, "memory.kernel", noKernel)
		warn(m.KernelTCP != nil, "memory.kernelTCP", noKernel)
		warn(v == v2 && value(m.DisableOOMKiller), "memory.disableOOMKiller", noV2)
		warn(v == v2 && m.Swappiness != nil, "memory.swappiness", noV2)
	}
	if c := from.CPU; c != nil {
		warn(v == v2 && value(c.RealtimeRuntime) != 0, "cpu.realtimeRuntime", noV2)
		warn(v == v2 && value(c.RealtimePeriod) != 0, "cpu.realtimePeriod", noV2)
	}
	if b := from.BlockIO; b != nil {
		warn(v == v2 && value(b.LeafWeight) != 0, "blockIO.leafWeight", noV2)
	}
	if n := from.Network; n != nil {
		warn(v == v2 && value(n.ClassID) != 0, "network.classID", noV2)
		warn(v == v2 && len(n.Priorities) > 0, "network.priorities", noV2)
	}
	return warnings
}
