package api

import "github.com/davit-containers/davit/shim/protobuf"

// V2Metrics is the protocol's.
type V2Metrics struct {
	Pids         *V2PidsStat
	CPU          *V2CPUStat
	Memory       *V2MemoryStat
	Rdma         *V2RdmaStat
	IO           *V2IOStat
	Hugetlb      []V2HugeTlbStat
	MemoryEvents *V2MemoryEvents
	Network      []V2NetworkStat
}

// Fields are those of Metrics.
func (m *V2Metrics) Fields(c *protobuf.Coder) {
	protobuf.One(c, 1, &m.Pids)
	protobuf.One(c, 2, &m.CPU)
	protobuf.One(c, 4, &m.Memory)
	protobuf.One(c, 5, &m.Rdma)
	protobuf.One(c, 6, &m.IO)
	protobuf.Many(c, 7, &m.Hugetlb)
	protobuf.One(c, 8, &m.MemoryEvents)
	protobuf.Many(c, 9, &m.Network)
}

// V2PSIData is the protocol's.
type V2PSIData struct {
	Avg10  float64
	Avg60  float64
	Avg300 float64
	Total  uint64
}

// Fields are those of PSIData.
func (m *V2PSIData) Fields(c *protobuf.Coder) {
	c.Double(1, &m.Avg10)
	c.Double(2, &m.Avg60)
	c.Double(3, &m.Avg300)
	protobuf.Number(c, 4, &m.Total)
}

// V2PSIStats is the protocol's.
type V2PSIStats struct {
	Some *V2PSIData
	Full *V2PSIData
}

// Fields are those of PSIStats.
func (m *V2PSIStats) Fields(c *protobuf.Coder) {
	protobuf.One(c, 1, &m.Some)
	protobuf.One(c, 2, &m.Full)
}

// V2PidsStat is the protocol's.
type V2PidsStat struct {
	Current uint64
	Limit   uint64
}

// Fields are those of PidsStat.
func (m *V2PidsStat) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Current)
	protobuf.Number(c, 2, &m.Limit)
}

// V2CPUStat is the protocol's.
type V2CPUStat struct {
	UsageUsec     uint64
	UserUsec      uint64
	SystemUsec    uint64
	NrPeriods     uint64
	NrThrottled   uint64
	ThrottledUsec uint64
	PSI           *V2PSIStats
	NrBursts      uint64
	BurstUsec     uint64
}

// Fields are those of CPUStat.
func (m *V2CPUStat) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.UsageUsec)
	protobuf.Number(c, 2, &m.UserUsec)
	protobuf.Number(c, 3, &m.SystemUsec)
	protobuf.Number(c, 4, &m.NrPeriods)
	protobuf.Number(c, 5, &m.NrThrottled)
	protobuf.Number(c, 6, &m.ThrottledUsec)
	protobuf.One(c, 7, &m.PSI)
	protobuf.Number(c, 8, &m.NrBursts)
	protobuf.Number(c, 9, &m.BurstUsec)
}

// V2MemoryStat is the protocol's.
type V2MemoryStat struct {
	Anon                  uint64
	File                  uint64
	KernelStack           uint64
	Slab                  uint64
	Sock                  uint64
	Shmem                 uint64
	FileMapped            uint64
	FileDirty             uint64
	FileWriteback         uint64
	AnonThp               uint64
	InactiveAnon          uint64
	ActiveAnon            uint64
	InactiveFile          uint64
	ActiveFile            uint64
	Unevictable           uint64
	SlabReclaimable       uint64
	SlabUnreclaimable     uint64
	Pgfault               uint64
	Pgmajfault            uint64
	WorkingsetRefault     uint64
	WorkingsetActivate    uint64
	WorkingsetNodereclaim uint64
	Pgrefill              uint64
	Pgscan                uint64
	Pgsteal               uint64
	Pgactivate            uint64
	Pgdeactivate          uint64
	Pglazyfree            uint64
	Pglazyfreed           uint64
	ThpFaultAlloc         uint64
	ThpCollapseAlloc      uint64
	Usage                 uint64
	UsageLimit            uint64
	SwapUsage             uint64
	SwapLimit             uint64
	MaxUsage              uint64
	SwapMaxUsage          uint64
	PSI                   *V2PSIStats
}

// Fields are those of MemoryStat.
func (m *V2MemoryStat) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Anon)
	protobuf.Number(c, 2, &m.File)
	protobuf.Number(c, 3, &m.KernelStack)
	protobuf.Number(c, 4, &m.Slab)
	protobuf.Number(c, 5, &m.Sock)
	protobuf.Number(c, 6, &m.Shmem)
	protobuf.Number(c, 7, &m.FileMapped)
	protobuf.Number(c, 8, &m.FileDirty)
	protobuf.Number(c, 9, &m.FileWriteback)
	protobuf.Number(c, 10, &m.AnonThp)
	protobuf.Number(c, 11, &m.InactiveAnon)
	protobuf.Number(c, 12, &m.ActiveAnon)
	protobuf.Number(c, 13, &m.InactiveFile)
	protobuf.Number(c, 14, &m.ActiveFile)
	protobuf.Number(c, 15, &m.Unevictable)
	protobuf.Number(c, 16, &m.SlabReclaimable)
	protobuf.Number(c, 17, &m.SlabUnreclaimable)
	protobuf.Number(c, 18, &m.Pgfault)
	protobuf.Number(c, 19, &m.Pgmajfault)
	protobuf.Number(c, 20, &m.WorkingsetRefault)
	protobuf.Number(c, 21, &m.WorkingsetActivate)
	protobuf.Number(c, 22, &m.WorkingsetNodereclaim)
	protobuf.Number(c, 23, &m.Pgrefill)
	protobuf.Number(c, 24, &m.Pgscan)
	protobuf.Number(c, 25, &m.Pgsteal)
	protobuf.Number(c, 26, &m.Pgactivate)
	protobuf.Number(c, 27, &m.Pgdeactivate)
	protobuf.Number(c, 28, &m.Pglazyfree)
	protobuf.Number(c, 29, &m.Pglazyfreed)
	protobuf.Number(c, 30, &m.ThpFaultAlloc)
	protobuf.Number(c, 31, &m.ThpCollapseAlloc)
	protobuf.Number(c, 32, &m.Usage)
	protobuf.Number(c, 33, &m.UsageLimit)
	protobuf.Number(c, 34, &m.SwapUsage)
	protobuf.Number(c, 35, &m.SwapLimit)
	protobuf.Number(c, 36, &m.MaxUsage)
	protobuf.Number(c, 37, &m.SwapMaxUsage)
	protobuf.One(c, 38, &m.PSI)
}

// V2MemoryEvents is the protocol's.
type V2MemoryEvents struct {
	Low          uint64
	High         uint64
	Max          uint64
	Oom          uint64
	OomKill      uint64
	OomGroupKill uint64
}

// Fields are those of MemoryEvents.
func (m *V2MemoryEvents) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Low)
	protobuf.Number(c, 2, &m.High)
	protobuf.Number(c, 3, &m.Max)
	protobuf.Number(c, 4, &m.Oom)
	protobuf.Number(c, 5, &m.OomKill)
	protobuf.Number(c, 6, &m.OomGroupKill)
}

// V2RdmaStat is the protocol's.
type V2RdmaStat struct {
	Current []V2RdmaEntry
	Limit   []V2RdmaEntry
}

// Fields are those of RdmaStat.
func (m *V2RdmaStat) Fields(c *protobuf.Coder) {
	protobuf.Many(c, 1, &m.Current)
	protobuf.Many(c, 2, &m.Limit)
}

// V2RdmaEntry is the protocol's.
type V2RdmaEntry struct {
	Device     string
	HcaHandles uint32
	HcaObjects uint32
}

// Fields are those of RdmaEntry.
func (m *V2RdmaEntry) Fields(c *protobuf.Coder) {
	c.Text(1, &m.Device)
	protobuf.Number(c, 2, &m.HcaHandles)
	protobuf.Number(c, 3, &m.HcaObjects)
}

// V2IOStat is the protocol's.
type V2IOStat struct {
	Usage []V2IOEntry
	PSI   *V2PSIStats
}

// Fields are those of IOStat.
func (m *V2IOStat) Fields(c *protobuf.Coder) {
	protobuf.Many(c, 1, &m.Usage)
	protobuf.One(c, 2, &m.PSI)
}

// V2IOEntry is the protocol's.
type V2IOEntry struct {
	Major  uint64
	Minor  uint64
	Rbytes uint64
	Wbytes uint64
	Rios   uint64
	Wios   uint64
}

// Fields are those of IOEntry.
func (m *V2IOEntry) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Major)
	protobuf.Number(c, 2, &m.Minor)
	protobuf.Number(c, 3, &m.Rbytes)
	protobuf.Number(c, 4, &m.Wbytes)
	protobuf.Number(c, 5, &m.Rios)
	protobuf.Number(c, 6, &m.Wios)
}

// V2HugeTlbStat is the protocol's.
type V2HugeTlbStat struct {
	Current  uint64
	Max      uint64
	Pagesize string
	Failcnt  uint64
}

// Fields are those of HugeTlbStat.
func (m *V2HugeTlbStat) Fields(c *protobuf.Coder) {
	protobuf.Number(c, 1, &m.Current)
	protobuf.Number(c, 2, &m.Max)
	c.Text(3, &m.Pagesize)
	protobuf.Number(c, 4, &m.Failcnt)
}

// V2NetworkStat is the protocol's.
type V2NetworkStat struct {
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
func (m *V2NetworkStat) Fields(c *protobuf.Coder) {
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
