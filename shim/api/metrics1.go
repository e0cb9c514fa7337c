package api

import "github.com/davit-containers/davit/shim/protobuf"

// V1Metrics is the protocol's.
type V1Metrics struct {
	Hugetlb          []V1HugetlbStat
	Pids             *V1PidsStat
	CPU              *V1CPUStat
	Memory           *V1MemoryStat
	Blkio            *V1BlkIOStat
	Rdma             *V1RdmaStat
	Network          []V1NetworkStat
	CgroupStats      *V1CgroupStats
	MemoryOomControl *V1MemoryOomControl
}

// Fields are those of Metrics.
func (m *V1Metrics) Fields(c *protobuf.Coder) {
	protobuf.Many(c, 1, &m.Hugetlb)
	protobuf.One(c, 2, &m.Pids)
	protobuf.One(c, 3, &m.CPU)
	protobuf.One(c, 4, &m.Memory)
	protobuf.One(c, 5, &m.Blkio)
	protobuf.One(c, 6, &m.Rdma)
	protobuf.Many(c, 7, &m.Network)
	protobuf.One(c, 8, &m.CgroupStats)
	protobuf.One(c, 9, &m.MemoryOomControl)
}

// V1HugetlbStat is the protocol's.
type V1HugetlbStat struct {
	Usage    uint64
	Max      uint64
	Failcnt  uint64
	Pagesize string
}

// Fields are those of HugetlbStat.
func (m *V1HugetlbStat) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Usage)
	protobuf.Number(c, 2, &m.Max)
	protobuf.Number(c, 3, &m.Failcnt)
	c.Text(4, &m.Pagesize)
}

// V1PidsStat is the protocol's.
type V1PidsStat struct {
	Current uint64
	Limit   uint64
}

// Fields are those of PidsStat.
func (m *V1PidsStat) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Current)
	protobuf.Number(c, 2, &m.Limit)
}

// V1CPUStat is the protocol's.
type V1CPUStat struct {
	Usage      *V1CPUUsage
	Throttling *V1Throttle
}

// Fields are those of CPUStat.
func (m *V1CPUStat) Fields(c *protobuf.Coder) {
	protobuf.One(c, 1, &m.Usage)
	protobuf.One(c, 2, &m.Throttling)
}

// V1CPUUsage is the protocol's.
type V1CPUUsage struct {
	Total  uint64
	Kernel uint64
	User   uint64
	PerCPU []uint64
}

// Fields are those of CPUUsage.
func (m *V1CPUUsage) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Total)
	protobuf.Number(c, 2, &m.Kernel)
	protobuf.Number(c, 3, &m.User)
	c.Numbers(4, &m.PerCPU)
}

// V1Throttle is the protocol's.
type V1Throttle struct {
	Periods          uint64
	ThrottledPeriods uint64
	ThrottledTime    uint64
}

// Fields are those of Throttle.
func (m *V1Throttle) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Periods)
	protobuf.Number(c, 2, &m.ThrottledPeriods)
	protobuf.Number(c, 3, &m.ThrottledTime)
}

// V1MemoryStat is the protocol's.
type V1MemoryStat struct {
	Cache                   uint64
	RSS                     uint64
	RSSHuge                 uint64
	MappedFile              uint64
	Dirty                   uint64
	Writeback               uint64
	PgPgIn                  uint64
	PgPgOut                 uint64
	PgFault                 uint64
	PgMajFault              uint64
	InactiveAnon            uint64
	ActiveAnon              uint64
	InactiveFile            uint64
	ActiveFile              uint64
	Unevictable             uint64
	HierarchicalMemoryLimit uint64
	HierarchicalSwapLimit   uint64
	TotalCache              uint64
	TotalRSS                uint64
	TotalRSSHuge            uint64
	TotalMappedFile         uint64
	TotalDirty              uint64
	TotalWriteback          uint64
	TotalPgPgIn             uint64
	TotalPgPgOut            uint64
	TotalPgFault            uint64
	TotalPgMajFault         uint64
	TotalInactiveAnon       uint64
	TotalActiveAnon         uint64
	TotalInactiveFile       uint64
	TotalActiveFile         uint64
	TotalUnevictable        uint64
	Usage                   *V1MemoryEntry
	Swap                    *V1MemoryEntry
	Kernel                  *V1MemoryEntry
	KernelTCP               *V1MemoryEntry
}

// Fields are those of MemoryStat.
func (m *V1MemoryStat) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Cache)
	protobuf.Number(c, 2, &m.RSS)
	protobuf.Number(c, 3, &m.RSSHuge)
	protobuf.Number(c, 4, &m.MappedFile)
	protobuf.Number(c, 5, &m.Dirty)
	protobuf.Number(c, 6, &m.Writeback)
	protobuf.Number(c, 7, &m.PgPgIn)
	protobuf.Number(c, 8, &m.PgPgOut)
	protobuf.Number(c, 9, &m.PgFault)
	protobuf.Number(c, 10, &m.PgMajFault)
	protobuf.Number(c, 11, &m.InactiveAnon)
	protobuf.Number(c, 12, &m.ActiveAnon)
	protobuf.Number(c, 13, &m.InactiveFile)
	protobuf.Number(c, 14, &m.ActiveFile)
	protobuf.Number(c, 15, &m.Unevictable)
	protobuf.Number(c, 16, &m.HierarchicalMemoryLimit)
	protobuf.Number(c, 17, &m.HierarchicalSwapLimit)
	protobuf.Number(c, 18, &m.TotalCache)
	protobuf.Number(c, 19, &m.TotalRSS)
	protobuf.Number(c, 20, &m.TotalRSSHuge)
	protobuf.Number(c, 21, &m.TotalMappedFile)
	protobuf.Number(c, 22, &m.TotalDirty)
	protobuf.Number(c, 23, &m.TotalWriteback)
	protobuf.Number(c, 24, &m.TotalPgPgIn)
	protobuf.Number(c, 25, &m.TotalPgPgOut)
	protobuf.Number(c, 26, &m.TotalPgFault)
	protobuf.Number(c, 27, &m.TotalPgMajFault)
	protobuf.Number(c, 28, &m.TotalInactiveAnon)
	protobuf.Number(c, 29, &m.TotalActiveAnon)
	protobuf.Number(c, 30, &m.TotalInactiveFile)
	protobuf.Number(c, 31, &m.TotalActiveFile)
	protobuf.Number(c, 32, &m.TotalUnevictable)
	protobuf.One(c, 33, &m.Usage)
	protobuf.One(c, 34, &m.Swap)
	protobuf.One(c, 35, &m.Kernel)
	protobuf.One(c, 36, &m.KernelTCP)
}

// V1MemoryEntry is the protocol's.
type V1MemoryEntry struct {
	Limit   uint64
	Usage   uint64
	Max     uint64
	Failcnt uint64
}

// Fields are those of MemoryEntry.
func (m *V1MemoryEntry) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Limit)
	protobuf.Number(c, 2, &m.Usage)
	protobuf.Number(c, 3, &m.Max)
	protobuf.Number(c, 4, &m.Failcnt)
}

// V1MemoryOomControl is the protocol's.
type V1MemoryOomControl struct {
	OomKillDisable uint64
	UnderOom       uint64
	OomKill        uint64
}

// Fields are those of MemoryOomControl.
func (m *V1MemoryOomControl) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.OomKillDisable)
	protobuf.Number(c, 2, &m.UnderOom)
	protobuf.Number(c, 3, &m.OomKill)
}

// V1BlkIOStat is the protocol's.
type V1BlkIOStat struct {
	IOServiceBytesRecursive []V1BlkIOEntry
	IOServicedRecursive     []V1BlkIOEntry
	IOQueuedRecursive       []V1BlkIOEntry
	IOServiceTimeRecursive  []V1BlkIOEntry
	IOWaitTimeRecursive     []V1BlkIOEntry
	IOMergedRecursive       []V1BlkIOEntry
	IOTimeRecursive         []V1BlkIOEntry
	SectorsRecursive        []V1BlkIOEntry
}

// Fields are those of BlkIOStat.
func (m *V1BlkIOStat) Fields(c *protobuf.Coder) {
	protobuf.Many(c, 1, &m.IOServiceBytesRecursive)
	protobuf.Many(c, 2, &m.IOServicedRecursive)
	protobuf.Many(c, 3, &m.IOQueuedRecursive)
	protobuf.Many(c, 4, &m.IOServiceTimeRecursive)
	protobuf.Many(c, 5, &m.IOWaitTimeRecursive)
	protobuf.Many(c, 6, &m.IOMergedRecursive)
	protobuf.Many(c, 7, &m.IOTimeRecursive)
	protobuf.Many(c, 8, &m.SectorsRecursive)
}

// V1BlkIOEntry is the protocol's.
type V1BlkIOEntry struct {
	Op     string
	Device string
	Major  uint64
	Minor  uint64
	Value  uint64
}

// Fields are those of BlkIOEntry.
func (m *V1BlkIOEntry) Fields(c *protobuf.Coder) {
	c.Text(1, &m.Op)
	c.Text(2, &m.Device)
	protobuf.Number(c, 3, &m.Major)
	protobuf.Number(c, 4, &m.Minor)
	protobuf.Number(c, 5, &m.Value)
}

// V1RdmaStat is the protocol's.
type V1RdmaStat struct {
	Current []V1RdmaEntry
	Limit   []V1RdmaEntry
}

// Fields are those of RdmaStat.
func (m *V1RdmaStat) Fields(c *protobuf.Coder) {
	protobuf.Many(c, 1, &m.Current)
	protobuf.Many(c, 2, &m.Limit)
}

// V1RdmaEntry is the protocol's.
type V1RdmaEntry struct {
	Device     string
	HcaHandles uint32
	HcaObjects uint32
}

// Fields are those of RdmaEntry.
func (m *V1RdmaEntry) Fields(c *protobuf.Coder) {
	c.Text(1, &m.Device)
	protobuf.Number(c, 2, &m.HcaHandles)
	protobuf.Number(c, 3, &m.HcaObjects)
}

// V1NetworkStat is the protocol's.
type V1NetworkStat struct {
	Name      string
	RxBytes   uint64
	RxPackets uint64
	RxErrors  uint64
	RxDropped uint64
	TxBytes   uint64
	TxPackets uint64
	TxErrors  uint64
	TxDropped uint64
}

// Fields are those of NetworkStat.
func (m *V1NetworkStat) Fields(c *protobuf.Coder) {
	c.Text(1, &m.Name)
	protobuf.Number(c, 2, &m.RxBytes)
	protobuf.Number(c, 3, &m.RxPackets)
	protobuf.Number(c, 4, &m.RxErrors)
	protobuf.Number(c, 5, &m.RxDropped)
	protobuf.Number(c, 6, &m.TxBytes)
	protobuf.Number(c, 7, &m.TxPackets)
	protobuf.Number(c, 8, &m.TxErrors)
	protobuf.Number(c, 9, &m.TxDropped)
}

// V1CgroupStats is the protocol's.
type V1CgroupStats struct {
	NrSleeping        uint64
	NrRunning         uint64
	NrStopped         uint64
	NrUninterruptible uint64
	NrIOWait          uint64
}

// Fields are those of CgroupStats.
func (m *V1CgroupStats) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.NrSleeping)
	protobuf.Number(c, 2, &m.NrRunning)
	protobuf.Number(c, 3, &m.NrStopped)
	protobuf.Number(c, 4, &m.NrUninterruptible)
	protobuf.Number(c, 5, &m.NrIOWait)
}
