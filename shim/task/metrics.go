package task

import (
	"fmt"
	"maps"
	"slices"

	"github.com/opencontainers/cgroups"

	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/libcontainer/host"
	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/protobuf"
)

// metrics are statistics in containerd's form, for the host's cgroup version.
func metrics(s *libcontainer.Stats) *protobuf.Any {
	if host.Cgroups() == host.CgroupV2 {
		return protobuf.Pack(api.MetricsV2Name, metricsV2(s))
	}
	return protobuf.Pack(api.MetricsV1Name, metricsV1(s))
}

func metricsV1(s *libcontainer.Stats) *api.V1Metrics {
	c, m := &s.Cgroup.CpuStats, &api.V1Metrics{}
	m.Pids = &api.V1PidsStat{Current: s.Cgroup.PidsStats.Current, Limit: s.Cgroup.PidsStats.Limit}
	m.CPU = &api.V1CPUStat{
		Usage: &api.V1CPUUsage{
			Total: c.CpuUsage.TotalUsage, Kernel: c.CpuUsage.UsageInKernelmode, User: c.CpuUsage.UsageInUsermode,
			PerCPU: c.CpuUsage.PercpuUsage,
		},
		Throttling: &api.V1Throttle{
			Periods: c.ThrottlingData.Periods, ThrottledPeriods: c.ThrottlingData.ThrottledPeriods,
			ThrottledTime: c.ThrottlingData.ThrottledTime,
		},
	}
	m.Memory = memoryV1(&s.Cgroup.MemoryStats)
	m.Blkio = blkioV1(&s.Cgroup.BlkioStats)
	for _, size := range slices.Sorted(maps.Keys(s.Cgroup.HugetlbStats)) {
		h := s.Cgroup.HugetlbStats[size]
		m.Hugetlb = append(m.Hugetlb, api.V1HugetlbStat{Usage: h.Usage, Max: h.MaxUsage, Failcnt: h.Failcnt, Pagesize: size})
	}
	for _, n := range s.Network {
		m.Network = append(m.Network, api.V1NetworkStat{
			Name: n.Name, RxBytes: n.RxBytes, RxPackets: n.RxPackets, RxErrors: n.RxErrors, RxDropped: n.RxDropped,
			TxBytes: n.TxBytes, TxPackets: n.TxPackets, TxErrors: n.TxErrors, TxDropped: n.TxDropped,
		})
	}
	return m
}

func memoryV1(m *cgroups.MemoryStats) *api.V1MemoryStat {
	entry := func(d cgroups.MemoryData) *api.V1MemoryEntry {
		return &api.V1MemoryEntry{Limit: d.Limit, Usage: d.Usage, Max: d.MaxUsage, Failcnt: d.Failcnt}
	}
	v := m.Stats
	return &api.V1MemoryStat{
		Cache: v["cache"], RSS: v["rss"], RSSHuge: v["rss_huge"], MappedFile: v["mapped_file"], Dirty: v["dirty"],
		Writeback: v["writeback"], PgPgIn: v["pgpgin"], PgPgOut: v["pgpgout"], PgFault: v["pgfault"], PgMajFault: v["pgmajfault"],
		InactiveAnon: v["inactive_anon"], ActiveAnon: v["active_anon"], InactiveFile: v["inactive_file"], ActiveFile: v["active_file"],
		Unevictable: v["unevictable"], HierarchicalMemoryLimit: v["hierarchical_memory_limit"],
		HierarchicalSwapLimit: v["hierarchical_memsw_limit"],
		TotalCache:            v["total_cache"], TotalRSS: v["total_rss"], TotalRSSHuge: v["total_rss_huge"],
		TotalMappedFile: v["total_mapped_file"], TotalDirty: v["total_dirty"], TotalWriteback: v["total_writeback"],
		TotalPgPgIn: v["total_pgpgin"], TotalPgPgOut: v["total_pgpgout"], TotalPgFault: v["total_pgfault"],
		TotalPgMajFault: v["total_pgmajfault"], TotalInactiveAnon: v["total_inactive_anon"],
		TotalActiveAnon: v["total_active_anon"], TotalInactiveFile: v["total_inactive_file"],
		TotalActiveFile: v["total_active_file"], TotalUnevictable: v["total_unevictable"],
		Usage: entry(m.Usage), Swap: entry(m.SwapUsage), Kernel: entry(m.KernelUsage), KernelTCP: entry(m.KernelTCPUsage),
	}
}

func blkioV1(b *cgroups.BlkioStats) *api.V1BlkIOStat {
	list := func(in []cgroups.BlkioStatEntry) (out []api.V1BlkIOEntry) {
		for _, e := range in {
			out = append(out, api.V1BlkIOEntry{
				Op: e.Op, Device: fmt.Sprintf("%d:%d", e.Major, e.Minor), Major: e.Major, Minor: e.Minor, Value: e.Value,
			})
		}
		return out
	}
	return &api.V1BlkIOStat{
		IOServiceBytesRecursive: list(b.IoServiceBytesRecursive), IOServicedRecursive: list(b.IoServicedRecursive),
		IOQueuedRecursive: list(b.IoQueuedRecursive), IOServiceTimeRecursive: list(b.IoServiceTimeRecursive),
		IOWaitTimeRecursive: list(b.IoWaitTimeRecursive), IOMergedRecursive: list(b.IoMergedRecursive),
		IOTimeRecursive: list(b.IoTimeRecursive), SectorsRecursive: list(b.SectorsRecursive),
	}
}

// microsecond is what v2 counts in, in nanoseconds.
const microsecond = 1000

func metricsV2(s *libcontainer.Stats) *api.V2Metrics {
	c, m := &s.Cgroup.CpuStats, &api.V2Metrics{}
	m.Pids = &api.V2PidsStat{Current: s.Cgroup.PidsStats.Current, Limit: s.Cgroup.PidsStats.Limit}
	m.CPU = &api.V2CPUStat{
		UsageUsec: c.CpuUsage.TotalUsage / microsecond, UserUsec: c.CpuUsage.UsageInUsermode / microsecond,
		SystemUsec: c.CpuUsage.UsageInKernelmode / microsecond,
		NrPeriods:  c.ThrottlingData.Periods, NrThrottled: c.ThrottlingData.ThrottledPeriods,
		ThrottledUsec: c.ThrottlingData.ThrottledTime / microsecond,
		NrBursts:      c.BurstData.BurstsPeriods, BurstUsec: c.BurstData.BurstTime / microsecond, PSI: pressure(c.PSI),
	}
	m.Memory = memoryV2(&s.Cgroup.MemoryStats)
	m.IO = ioV2(&s.Cgroup.BlkioStats)
	for _, size := range slices.Sorted(maps.Keys(s.Cgroup.HugetlbStats)) {
		h := s.Cgroup.HugetlbStats[size]
		m.Hugetlb = append(m.Hugetlb, api.V2HugeTlbStat{Current: h.Usage, Max: h.MaxUsage, Failcnt: h.Failcnt, Pagesize: size})
	}
	for _, n := range s.Network {
		m.Network = append(m.Network, api.V2NetworkStat{
			Name: n.Name, RxBytes: n.RxBytes, RxPackets: n.RxPackets, RxErrors: n.RxErrors, RxDropped: n.RxDropped,
			TxBytes: n.TxBytes, TxPackets: n.TxPackets, TxErrors: n.TxErrors, TxDropped: n.TxDropped,
		})
	}
	return m
}

func pressure(p *cgroups.PSIStats) *api.V2PSIStats {
	if p == nil {
		return nil
	}
	data := func(d cgroups.PSIData) *api.V2PSIData {
		return &api.V2PSIData{Avg10: d.Avg10, Avg60: d.Avg60, Avg300: d.Avg300, Total: d.Total}
	}
	return &api.V2PSIStats{Some: data(p.Some), Full: data(p.Full)}
}

func memoryV2(m *cgroups.MemoryStats) *api.V2MemoryStat {
	v := m.Stats
	return &api.V2MemoryStat{
		Anon: v["anon"], File: v["file"], KernelStack: v["kernel_stack"], Slab: v["slab"], Sock: v["sock"], Shmem: v["shmem"],
		FileMapped: v["file_mapped"], FileDirty: v["file_dirty"], FileWriteback: v["file_writeback"], AnonThp: v["anon_thp"],
		InactiveAnon: v["inactive_anon"], ActiveAnon: v["active_anon"], InactiveFile: v["inactive_file"],
		ActiveFile: v["active_file"], Unevictable: v["unevictable"], SlabReclaimable: v["slab_reclaimable"],
		SlabUnreclaimable: v["slab_unreclaimable"], Pgfault: v["pgfault"], Pgmajfault: v["pgmajfault"],
		WorkingsetRefault:     v["workingset_refault_anon"] + v["workingset_refault_file"],
		WorkingsetActivate:    v["workingset_activate_anon"] + v["workingset_activate_file"],
		WorkingsetNodereclaim: v["workingset_nodereclaim"], Pgrefill: v["pgrefill"], Pgscan: v["pgscan"], Pgsteal: v["pgsteal"],
		Pgactivate: v["pgactivate"], Pgdeactivate: v["pgdeactivate"], Pglazyfree: v["pglazyfree"], Pglazyfreed: v["pglazyfreed"],
		ThpFaultAlloc: v["thp_fault_alloc"], ThpCollapseAlloc: v["thp_collapse_alloc"],
		Usage: m.Usage.Usage, UsageLimit: m.Usage.Limit, MaxUsage: m.Usage.MaxUsage,
		SwapUsage: m.SwapOnlyUsage.Usage, SwapLimit: m.SwapOnlyUsage.Limit, SwapMaxUsage: m.SwapOnlyUsage.MaxUsage,
		PSI: pressure(m.PSI),
	}
}

// device is a block device's number.
type device struct{ major, minor uint64 }

func ioV2(b *cgroups.BlkioStats) *api.V2IOStat {
	byDevice := map[device]*api.V2IOEntry{}
	var order []device
	each := func(list []cgroups.BlkioStatEntry, read, write func(*api.V2IOEntry) *uint64) {
		for _, e := range list {
			d := device{e.Major, e.Minor}
			if byDevice[d] == nil {
				byDevice[d] = &api.V2IOEntry{Major: e.Major, Minor: e.Minor}
				order = append(order, d)
			}
			switch e.Op {
			case "Read":
				*read(byDevice[d]) = e.Value
			case "Write":
				*write(byDevice[d]) = e.Value
			}
		}
	}
	each(b.IoServiceBytesRecursive, func(e *api.V2IOEntry) *uint64 { return &e.Rbytes }, func(e *api.V2IOEntry) *uint64 { return &e.Wbytes })
	each(b.IoServicedRecursive, func(e *api.V2IOEntry) *uint64 { return &e.Rios }, func(e *api.V2IOEntry) *uint64 { return &e.Wios })
	out := &api.V2IOStat{PSI: pressure(b.PSI)}
	for _, d := range order {
		out.Usage = append(out.Usage, *byDevice[d])
	}
	return out
}
