package main

import (
	"github.com/opencontainers/cgroups"

	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/libcontainer/intelrdt"
	"github.com/davit-containers/davit/libcontainer/netdev"
)

// event is what a line of davit events has.
// Compat(runc): the names below, and what is left out where it is empty.
type event struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Data *usage `json:"data,omitempty"`
}

// usage is what a container has used. Times are in nanoseconds, sizes in bytes.
type usage struct {
	CPU      cpuUsage                `json:"cpu"`
	CPUSet   cgroups.CPUSetStats     `json:"cpuset"`
	Memory   memoryUsage             `json:"memory"`
	Pids     pidsUsage               `json:"pids"`
	Blkio    blkioUsage              `json:"blkio"`
	Hugetlb  map[string]hugetlbUsage `json:"hugetlb"` // by page size
	IntelRdt intelrdt.Stats          `json:"intel_rdt"`
	Network  []netdev.Stats          `json:"network_interfaces"`
}

type cpuUsage struct {
	Usage struct {
		Total        uint64   `json:"total,omitempty"`
		Percpu       []uint64 `json:"percpu,omitempty"`
		PercpuKernel []uint64 `json:"percpu_kernel,omitempty"`
		PercpuUser   []uint64 `json:"percpu_user,omitempty"`
		Kernel       uint64   `json:"kernel"`
		User         uint64   `json:"user"`
	} `json:"usage,omitzero"`
	Throttling struct {
		Periods          uint64 `json:"periods,omitempty"`
		ThrottledPeriods uint64 `json:"throttledPeriods,omitempty"`
		ThrottledTime    uint64 `json:"throttledTime,omitempty"`
	} `json:"throttling,omitzero"`
	PSI *cgroups.PSIStats `json:"psi,omitempty"`
}

type memoryUsage struct {
	Cache     uint64            `json:"cache,omitempty"`
	Usage     memoryAmount      `json:"usage,omitzero"`
	Swap      memoryAmount      `json:"swap,omitzero"` // of memory and swap together
	Kernel    memoryAmount      `json:"kernel,omitzero"`
	KernelTCP memoryAmount      `json:"kernelTCP,omitzero"`
	Raw       map[string]uint64 `json:"raw,omitempty"` // memory.stat
	PSI       *cgroups.PSIStats `json:"psi,omitempty"`
}

type memoryAmount struct {
	Limit   uint64 `json:"limit"`
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

type pidsUsage struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"` // 0 is none
}

type blkioUsage struct {
	ServiceBytes []blkioEntry      `json:"ioServiceBytesRecursive,omitempty"`
	Serviced     []blkioEntry      `json:"ioServicedRecursive,omitempty"`
	Queued       []blkioEntry      `json:"ioQueueRecursive,omitempty"`
	ServiceTime  []blkioEntry      `json:"ioServiceTimeRecursive,omitempty"`
	WaitTime     []blkioEntry      `json:"ioWaitTimeRecursive,omitempty"`
	Merged       []blkioEntry      `json:"ioMergedRecursive,omitempty"`
	Time         []blkioEntry      `json:"ioTimeRecursive,omitempty"`
	Sectors      []blkioEntry      `json:"sectorsRecursive,omitempty"`
	PSI          *cgroups.PSIStats `json:"psi,omitempty"`
}

type blkioEntry struct {
	Major uint64 `json:"major,omitempty"`
	Minor uint64 `json:"minor,omitempty"`
	Op    string `json:"op,omitempty"`
	Value uint64 `json:"value,omitempty"`
}

type hugetlbUsage struct {
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// statsOf puts statistics into the shape that callers know.
func statsOf(s *libcontainer.Stats) *usage {
	cg := s.Cgroup
	u := &usage{
		CPU: cpuOf(&cg.CpuStats), CPUSet: cg.CPUSetStats, Memory: memoryOf(&cg.MemoryStats),
		Pids:  pidsUsage{cg.PidsStats.Current, cg.PidsStats.Limit},
		Blkio: blkioOf(&cg.BlkioStats), Hugetlb: map[string]hugetlbUsage{}, Network: s.Network,
	}
	for size, h := range cg.HugetlbStats {
		u.Hugetlb[size] = hugetlbUsage{h.Usage, h.MaxUsage, h.Failcnt}
	}
	if s.IntelRdt != nil {
		u.IntelRdt = *s.IntelRdt
	}
	return u
}

func cpuOf(c *cgroups.CpuStats) (u cpuUsage) {
	u.Usage.Total = c.CpuUsage.TotalUsage
	u.Usage.Percpu = c.CpuUsage.PercpuUsage
	u.Usage.PercpuKernel = c.CpuUsage.PercpuUsageInKernelmode
	u.Usage.PercpuUser = c.CpuUsage.PercpuUsageInUsermode
	u.Usage.Kernel = c.CpuUsage.UsageInKernelmode
	u.Usage.User = c.CpuUsage.UsageInUsermode
	u.Throttling.Periods = c.ThrottlingData.Periods
	u.Throttling.ThrottledPeriods = c.ThrottlingData.ThrottledPeriods
	u.Throttling.ThrottledTime = c.ThrottlingData.ThrottledTime
	u.PSI = c.PSI
	return u
}

func memoryOf(m *cgroups.MemoryStats) memoryUsage {
	return memoryUsage{
		Cache: m.Cache, Usage: amountOf(m.Usage), Swap: amountOf(m.SwapUsage),
		Kernel: amountOf(m.KernelUsage), KernelTCP: amountOf(m.KernelTCPUsage),
		Raw: m.Stats, PSI: m.PSI,
	}
}

func amountOf(d cgroups.MemoryData) memoryAmount {
	return memoryAmount{d.Limit, d.Usage, d.MaxUsage, d.Failcnt}
}

func blkioOf(b *cgroups.BlkioStats) blkioUsage {
	return blkioUsage{
		ServiceBytes: entriesOf(b.IoServiceBytesRecursive), Serviced: entriesOf(b.IoServicedRecursive),
		Queued: entriesOf(b.IoQueuedRecursive), ServiceTime: entriesOf(b.IoServiceTimeRecursive),
		WaitTime: entriesOf(b.IoWaitTimeRecursive), Merged: entriesOf(b.IoMergedRecursive),
		Time: entriesOf(b.IoTimeRecursive), Sectors: entriesOf(b.SectorsRecursive), PSI: b.PSI,
	}
}

func entriesOf(list []cgroups.BlkioStatEntry) []blkioEntry {
	entries := make([]blkioEntry, 0, len(list))
	for _, e := range list {
		entries = append(entries, blkioEntry{e.Major, e.Minor, e.Op, e.Value})
	}
	return entries
}
