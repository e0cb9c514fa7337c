package intelrdt

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Stats is what resctrl says of a group. Its JSON is what `events` prints.
// Compat(runc): the names.
type Stats struct {
	Cache         *CacheInfo     `json:"l3_cache_info,omitempty"`
	RootCache     string         `json:"l3_cache_schema_root,omitempty"` // of the default class
	GroupCache    string         `json:"l3_cache_schema,omitempty"`
	Bandwidth     *BandwidthInfo `json:"mem_bw_info,omitempty"`
	RootBandwidth string         `json:"mem_bw_schema_root,omitempty"` // of the default class
	GroupBand     string         `json:"mem_bw_schema,omitempty"`
	Schemata      []string       `json:"schemata,omitempty"`  // of the group's class, a line each
	Traffic       []Traffic      `json:"mbm_stats,omitempty"` // by domain
	Occupancy     []Occupancy    `json:"cmt_stats,omitempty"` // by domain
}

// CacheInfo is what the hardware can allocate of L3 caches.
type CacheInfo struct {
	Mask    string `json:"cbm_mask,omitempty"` // hexadecimal
	MinBits uint64 `json:"min_cbm_bits,omitempty"`
	Classes uint64 `json:"num_closids,omitempty"`
}

// BandwidthInfo is what the hardware can allocate of memory bandwidth.
type BandwidthInfo struct {
	Granularity uint64 `json:"bandwidth_gran,omitempty"` // per cent
	DelayLinear uint64 `json:"delay_linear,omitempty"`
	Minimum     uint64 `json:"min_bandwidth,omitempty"` // per cent
	Classes     uint64 `json:"num_closids,omitempty"`
}

// Traffic is the memory bandwidth used, in bytes since the group was made.
type Traffic struct {
	Total uint64 `json:"mbm_total_bytes"`
	Local uint64 `json:"mbm_local_bytes"`
}

// Occupancy is the cache used, in bytes.
type Occupancy struct {
	Cache uint64 `json:"llc_occupancy"`
}

// Stats reads what resctrl says of the group. Without a monitoring group of
// its own, traffic and occupancy are those of its class.
func (g *Group) Stats() (*Stats, error) {
	root, err := (&Group{Root: g.Root, Clos: g.Root}).Schemata()
	if err != nil {
		return nil, err
	}
	own, err := g.Schemata()
	if err != nil {
		return nil, err
	}
	s := &Stats{Schemata: nonEmptyLines(own)}
	if AllocatesCache(g.Root) {
		s.Cache, s.RootCache, s.GroupCache = g.cacheInfo(), schema(root, "L3"), schema(own, "L3")
	}
	if AllocatesBandwidth(g.Root) {
		s.Bandwidth, s.RootBandwidth, s.GroupBand = g.bandwidthInfo(), schema(root, "MB"), schema(own, "MB")
	}
	return s, g.monitor(s)
}

func (g *Group) cacheInfo() *CacheInfo {
	dir := filepath.Join(g.Root, "info", "L3")
	if !hasResource(g.Root, "L3") {
		dir += "CODE"
	}
	mask, _ := os.ReadFile(filepath.Join(dir, "cbm_mask"))
	return &CacheInfo{
		Mask: strings.TrimSpace(string(mask)), MinBits: number(dir, "min_cbm_bits"), Classes: number(dir, "num_closids"),
	}
}

func (g *Group) bandwidthInfo() *BandwidthInfo {
	dir := filepath.Join(g.Root, "info", "MB")
	return &BandwidthInfo{
		Granularity: number(dir, "bandwidth_gran"), DelayLinear: number(dir, "delay_linear"),
		Minimum: number(dir, "min_bandwidth"), Classes: number(dir, "num_closids"),
	}
}

// monitor reads the counters that the hardware has.
func (g *Group) monitor(s *Stats) error {
	features, err := os.ReadFile(filepath.Join(g.Root, "info", "L3_MON", "mon_features"))
	if err != nil {
		return nil // no monitoring
	}
	dir := g.Clos
	if g.Mon != "" {
		dir = g.Mon
	}
	domains, err := os.ReadDir(filepath.Join(dir, "mon_data"))
	if err != nil {
		return g.failure("reading the monitoring data", err)
	}
	has := func(feature string) bool { return strings.Contains("\n"+string(features), "\n"+feature+"\n") }
	for _, d := range domains {
		counters := filepath.Join(dir, "mon_data", d.Name())
		if has("mbm_total_bytes") || has("mbm_local_bytes") {
			s.Traffic = append(s.Traffic, Traffic{number(counters, "mbm_total_bytes"), number(counters, "mbm_local_bytes")})
		}
		if has("llc_occupancy") {
			s.Occupancy = append(s.Occupancy, Occupancy{number(counters, "llc_occupancy")})
		}
	}
	return nil
}

// number reads a number from a file; 0 where there is none, as where the
// hardware says "Unavailable".
func number(dir, file string) uint64 {
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 0, 64)
	return n
}

// schema is the line of schemata for a resource, the last if it has several.
func schema(schemata, resource string) (found string) {
	for _, line := range nonEmptyLines(schemata) {
		if strings.HasPrefix(line, resource) {
			found = line
		}
	}
	return found
}

func nonEmptyLines(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
