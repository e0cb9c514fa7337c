package main

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/network"
)

// hostDetails are what a container was given of the host: limits and rights as its
// config.json has them.
// Compat(moby): the names.
type hostDetails struct {
	LogConfig         logDetails
	NetworkMode       string
	IpcMode           string
	PidMode           string
	UTSMode           string
	CgroupnsMode      string
	UsernsMode        string
	Binds             []string
	PublishAllPorts   bool
	Annotations       map[string]string `json:",omitempty"`
	PortBindings      map[string][]hostPort
	RestartPolicy     restartDetails
	AutoRemove        bool
	Capabilities      []string // ours: those that the program may have
	CgroupParent      string
	DNS               []string `json:"Dns"`
	DNSOptions        []string `json:"DnsOptions"`
	DNSSearch         []string `json:"DnsSearch"`
	ExtraHosts        []string
	OomScoreAdj       int
	Privileged        bool
	ReadonlyRootfs    bool
	SecurityOpt       []string
	Init              bool
	Memory            int64
	MemoryReservation int64
	MemorySwap        int64
	CPUShares         uint64 `json:"CpuShares"`
	CPUPeriod         uint64 `json:"CpuPeriod"`
	CPUQuota          int64  `json:"CpuQuota"`
	NanoCPUs          int64  `json:"NanoCpus"`
	CpusetCpus        string
	CpusetMems        string
	BlkioWeight       uint16
	MemorySwappiness  *uint64
	OomKillDisable    bool
	PidsLimit         *int64
	Ulimits           []ulimitDetails
	Sysctls           map[string]string
	ShmSize           int64
	Tmpfs             map[string]string `json:",omitempty"`
	MaskedPaths       []string
	ReadonlyPaths     []string
}

type logDetails struct {
	Type   string
	Config map[string]string
}

type restartDetails struct {
	Name              string
	MaximumRetryCount int
}

type ulimitDetails struct {
	Name       string
	Hard, Soft int64
}

func hostDetailsOf(c container.Config, spec *specs.Spec, mounts []mountDetails) hostDetails {
	h := hostDetails{
		LogConfig: logDetails{c.Log.Driver, map[string]string{}}, NetworkMode: strings.Join(networksOf(c), ","), PortBindings: map[string][]hostPort{},
		RestartPolicy: restartDetails{c.Restart.Name, c.Restart.Max}, AutoRemove: c.AutoRemove, CgroupParent: parentOf(spec.Linux.CgroupsPath),
		Privileged: c.Privileged, ReadonlyRootfs: spec.Root.Readonly, Init: c.Init, Sysctls: spec.Linux.Sysctl,
		Annotations: c.Annotations, MaskedPaths: spec.Linux.MaskedPaths, ReadonlyPaths: spec.Linux.ReadonlyPaths,
	}
	for name, value := range c.Log.Options {
		h.LogConfig.Config[name] = value
	}
	h.IpcMode = cmp.Or(c.IPC, "private")
	h.PidMode, h.UTSMode = modeOf(c, spec, specs.PIDNamespace), modeOf(c, spec, specs.UTSNamespace)
	h.CgroupnsMode, h.UsernsMode = cmp.Or(modeOf(c, spec, specs.CgroupNamespace), "private"), cmp.Or(modeOf(c, spec, specs.UserNamespace), "private")
	h.mounts(mounts, spec.Mounts)
	h.network(c.Network)
	h.process(spec.Process)
	if r := spec.Linux.Resources; r != nil {
		h.limits(r)
	}
	if spec.Linux.Seccomp == nil {
		h.SecurityOpt = append(h.SecurityOpt, "seccomp=unconfined")
	}
	return h
}

// modeOf is whose namespace of a kind a container has, "" for its own.
func modeOf(c container.Config, spec *specs.Spec, kind specs.LinuxNamespaceType) string {
	if id := c.Joined[string(kind)]; id != "" {
		return "container:" + id
	}
	for _, ns := range spec.Linux.Namespaces {
		if ns.Type == kind && ns.Path != "" {
			return "ns:" + ns.Path
		} else if ns.Type == kind {
			return ""
		}
	}
	return "host"
}

// parentOf is the cgroup above a container's, or its slice.
func parentOf(path string) string {
	if slice, _, systemd := strings.Cut(path, ":"); systemd {
		return slice
	}
	return path[:max(strings.LastIndexByte(path, '/'), 0)]
}

// mounts are what was mounted by --volume, --mount and --tmpfs.
func (h *hostDetails) mounts(given []mountDetails, all []specs.Mount) {
	for _, m := range given {
		h.Binds = append(h.Binds, strings.TrimSuffix(cmp.Or(m.Name, m.Source)+":"+m.Destination+":"+m.Mode, ":"))
	}
	for _, m := range all {
		switch {
		case m.Destination == "/dev/shm":
			h.ShmSize = memorySize(m.Options)
		case m.Type == "tmpfs" && !strings.HasPrefix(m.Destination, "/dev"):
			if h.Tmpfs == nil {
				h.Tmpfs = map[string]string{}
			}
			h.Tmpfs[m.Destination] = strings.Join(m.Options, ",")
		}
	}
}

// memorySize is a tmpfs's in bytes, 0 where its options do not say.
func memorySize(options []string) int64 {
	for _, o := range options {
		if text, ok := strings.CutPrefix(o, "size="); ok {
			size, _ := units.RAMInBytes(text)
			return size
		}
	}
	return 0
}

func (h *hostDetails) network(n container.Network) {
	h.PublishAllPorts, h.DNSOptions, h.DNSSearch = n.PublishAll, n.DNS.Options, n.DNS.Search
	for _, p := range n.Ports {
		b := hostPort{HostPort: strconv.Itoa(int(p.Host))}
		if p.HostIP.IsValid() {
			b.HostIP = p.HostIP.String()
		}
		h.PortBindings[portName(p)] = append(h.PortBindings[portName(p)], b)
	}
	for _, server := range n.DNS.Servers {
		h.DNS = append(h.DNS, server.String())
	}
	for _, e := range n.Hosts {
		h.ExtraHosts = append(h.ExtraHosts, hostEntry(e))
	}
}

func hostEntry(e network.HostEntry) string {
	if !e.Addr.IsValid() {
		return e.Name + ":host-gateway"
	}
	return e.Name + ":" + e.Addr.String()
}

func (h *hostDetails) process(p *specs.Process) {
	if p.Capabilities != nil {
		h.Capabilities = p.Capabilities.Bounding
	}
	if p.OOMScoreAdj != nil {
		h.OomScoreAdj = *p.OOMScoreAdj
	}
	if p.NoNewPrivileges {
		h.SecurityOpt = append(h.SecurityOpt, "no-new-privileges")
	}
	for _, l := range p.Rlimits {
		name := strings.ToLower(strings.TrimPrefix(l.Type, "RLIMIT_"))
		h.Ulimits = append(h.Ulimits, ulimitDetails{name, int64(l.Hard), int64(l.Soft)})
	}
}

func (h *hostDetails) limits(r *specs.LinuxResources) {
	if m := r.Memory; m != nil {
		h.Memory, h.MemoryReservation, h.MemorySwap = value(m.Limit), value(m.Reservation), value(m.Swap)
		h.MemorySwappiness, h.OomKillDisable = m.Swappiness, value(m.DisableOOMKiller)
	}
	if c := r.CPU; c != nil {
		h.CPUShares, h.CPUPeriod, h.CPUQuota = value(c.Shares), value(c.Period), value(c.Quota)
		h.CpusetCpus, h.CpusetMems = c.Cpus, c.Mems
		if h.CPUPeriod > 0 && h.CPUQuota > 0 {
			h.NanoCPUs = h.CPUQuota * 1e9 / int64(h.CPUPeriod)
		}
	}
	if r.BlockIO != nil {
		h.BlkioWeight = value(r.BlockIO.Weight)
	}
	if r.Pids != nil {
		h.PidsLimit = r.Pids.Limit
	}
}

// value is what a pointer leads to; nothing is 0.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
