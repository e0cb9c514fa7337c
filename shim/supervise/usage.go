package supervise

import (
	"context"
	"errors"
	"time"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/protobuf"
)

// Usage is what a container uses.
type Usage struct {
	At          time.Time
	CPU         time.Duration // of all processors, since it was made
	Memory      uint64        // in bytes, without what is only cached
	MemoryLimit uint64        // in bytes; without a limit more than any machine has
	RxBytes     uint64        // of its network devices
	TxBytes     uint64
	ReadBytes   uint64 // of block devices
	WriteBytes  uint64
	Pids        uint64
}

// Usage asks what the container uses.
func (c *Client) Usage(ctx context.Context) (*Usage, error) {
	r := api.StatsResponse{}
	if err := c.task(ctx, "Stats", &api.StatsRequest{ID: c.c.Config.ID}, &r); err != nil {
		return nil, err
	}
	switch {
	case r.Stats == nil:
		return nil, errors.New("the supervisor has no statistics")
	case r.Stats.TypeURL == api.MetricsV2Name:
		m := api.V2Metrics{}
		err := protobuf.Unmarshal(r.Stats.Value, &m)
		return usageV2(&m), err
	}
	m := api.V1Metrics{}
	err := protobuf.Unmarshal(r.Stats.Value, &m)
	return usageV1(&m), err
}

func usageV1(m *api.V1Metrics) *Usage {
	u := &Usage{At: time.Now()}
	if m.CPU != nil && m.CPU.Usage != nil {
		u.CPU = time.Duration(m.CPU.Usage.Total)
	}
	if m.Memory != nil && m.Memory.Usage != nil {
		u.Memory, u.MemoryLimit = besides(m.Memory.Usage.Usage, m.Memory.TotalInactiveFile), m.Memory.Usage.Limit
	}
	if m.Pids != nil {
		u.Pids = m.Pids.Current
	}
	for _, n := range m.Network {
		u.RxBytes, u.TxBytes = u.RxBytes+n.RxBytes, u.TxBytes+n.TxBytes
	}
	if m.Blkio == nil {
		return u
	}
	for _, e := range m.Blkio.IOServiceBytesRecursive {
		switch e.Op {
		case "Read":
			u.ReadBytes += e.Value
		case "Write":
			u.WriteBytes += e.Value
		}
	}
	return u
}

func usageV2(m *api.V2Metrics) *Usage {
	u := &Usage{At: time.Now()}
	if m.CPU != nil {
		u.CPU = time.Duration(m.CPU.UsageUsec) * time.Microsecond
	}
	if m.Memory != nil {
		u.Memory, u.MemoryLimit = besides(m.Memory.Usage, m.Memory.InactiveFile), m.Memory.UsageLimit
	}
	if m.Pids != nil {
		u.Pids = m.Pids.Current
	}
	for _, n := range m.Network {
		u.RxBytes, u.TxBytes = u.RxBytes+n.RxBytes, u.TxBytes+n.TxBytes
	}
	if m.IO != nil {
		for _, e := range m.IO.Usage {
			u.ReadBytes, u.WriteBytes = u.ReadBytes+e.Rbytes, u.WriteBytes+e.Wbytes
		}
	}
	return u
}

// besides is what is used without what the kernel could give back.
// Compat(moby): its docker stats.
func besides(usage, cached uint64) uint64 {
	if cached > usage {
		return usage
	}
	return usage - cached
}
