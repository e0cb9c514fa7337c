package options

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

// limits are the flags on resources.
type limits struct {
	memory, reservation, swap       string
	swappiness                      int64
	noOOMKiller                     bool
	cpus                            string
	shares, period                  uint64
	quota                           int64
	cpusetCPUs, cpusetMems          string
	pids                            int64
	weight                          uint16
	readBps, writeBps               []string
	readIOPS, writeIOPS             []string
	cgroupsPath                     string
	pidsGiven, swapGiven, swappyGot func() bool
}

func (l *limits) add(fs *pflag.FlagSet) {
	given := func(name string) func() bool { return func() bool { return fs.Changed(name) } }
	fs.StringVarP(&l.memory, "memory", "m", "", "at most `SIZE` of memory")
	fs.StringVar(&l.reservation, "memory-reservation", "", "keep `SIZE` of memory when it is short")
	fs.StringVar(&l.swap, "memory-swap", "", "at most `SIZE` of memory and swap; -1 for any (default is twice the memory)")
	l.swapGiven = given("memory-swap")
	fs.Int64Var(&l.swappiness, "memory-swappiness", -1, "how readily memory is swapped, from 0 to 100")
	l.swappyGot = given("memory-swappiness")
	fs.BoolVar(&l.noOOMKiller, "oom-kill-disable", false, "stop processes, and do not end them, when memory is short")
	fs.StringVar(&l.cpus, "cpus", "", "at most `NUMBER` of processors, such as 1.5")
	fs.Uint64VarP(&l.shares, "cpu-shares", "c", 0, "share of the processors, relative to others' (1024 is one)")
	fs.Uint64Var(&l.period, "cpu-period", 0, "the period of --cpu-quota, in microseconds")
	fs.Int64Var(&l.quota, "cpu-quota", 0, "processor time in each period, in microseconds")
	fs.StringVar(&l.cpusetCPUs, "cpuset-cpus", "", "run on processors in `LIST`, such as 0-2,5")
	fs.StringVar(&l.cpusetMems, "cpuset-mems", "", "take memory from nodes in `LIST`")
	fs.Int64Var(&l.pids, "pids-limit", 0, "at most `NUMBER` of processes; -1 for any")
	l.pidsGiven = given("pids-limit")
	fs.Uint16Var(&l.weight, "blkio-weight", 0, "share of disks, from 10 to 1000")
	fs.StringArrayVar(&l.readBps, "device-read-bps", nil, "read at most so many bytes a second, `DEVICE:SIZE`")
	fs.StringArrayVar(&l.writeBps, "device-write-bps", nil, "write at most so many bytes a second, `DEVICE:SIZE`")
	fs.StringArrayVar(&l.readIOPS, "device-read-iops", nil, "read at most so often a second, `DEVICE:NUMBER`")
	fs.StringArrayVar(&l.writeIOPS, "device-write-iops", nil, "write at most so often a second, `DEVICE:NUMBER`")
}

// AddCgroupsPath adds --cgroups-path, for a command that does not choose the cgroup itself.
func (f *Flags) AddCgroupsPath(fs *pflag.FlagSet) {
	fs.StringVar(&f.limits.cgroupsPath, "cgroups-path", "", "the cgroup's `PATH` (default is the runtime's choice)")
}

// wanted is what the flags say.
func (l *limits) wanted(w *Wanted) error {
	w.CgroupsPath = l.cgroupsPath
	for _, step := range [...]func(*specs.LinuxResources) error{l.memoryLimits, l.cpuLimits, l.blockLimits} {
		if err := step(&w.Resources); err != nil {
			return err
		}
	}
	if l.pidsGiven() {
		w.Resources.Pids = &specs.LinuxPids{Limit: &l.pids}
	}
	return nil
}

// size reads a flag's size; nil without one.
func size(flag, text string) (*int64, error) {
	if text == "" {
		return nil, nil
	}
	if text == "-1" {
		return new(int64(-1)), nil
	}
	n, err := units.RAMInBytes(text)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("%s %q: it is no size, such as 64m or 1g", flag, text)
	}
	return &n, nil
}

// memoryLimits are those on memory and swap.
func (l *limits) memoryLimits(r *specs.LinuxResources) (err error) {
	m := &specs.LinuxMemory{}
	if m.Limit, err = size("--memory", l.memory); err != nil {
		return err
	}
	if m.Reservation, err = size("--memory-reservation", l.reservation); err != nil {
		return err
	}
	if m.Swap, err = size("--memory-swap", l.swap); err != nil {
		return err
	}
	switch {
	case m.Swap != nil && *m.Swap >= 0 && m.Limit == nil:
		return fmt.Errorf("--memory-swap %q: it needs --memory", l.swap)
	case m.Swap != nil && *m.Swap >= 0 && *m.Swap < *m.Limit:
		return fmt.Errorf("--memory-swap %q: it is less than --memory %q", l.swap, l.memory)
	case m.Swap == nil && m.Limit != nil && *m.Limit > 0 && *m.Limit <= math.MaxInt64/2:
		m.Swap = new(*m.Limit * 2) // Compat(moby): its default
	}
	if l.swappyGot() {
		if l.swappiness < 0 || l.swappiness > 100 {
			return fmt.Errorf("--memory-swappiness %d: it is from 0 to 100", l.swappiness)
		}
		m.Swappiness = new(uint64(l.swappiness))
	}
	if l.noOOMKiller {
		m.DisableOOMKiller = &l.noOOMKiller
	}
	if *m != (specs.LinuxMemory{}) {
		r.Memory = m
	}
	return nil
}

// cpuLimits are those on processors.
func (l *limits) cpuLimits(r *specs.LinuxResources) error {
	c := specs.LinuxCPU{Cpus: l.cpusetCPUs, Mems: l.cpusetMems}
	if l.shares != 0 {
		c.Shares = &l.shares
	}
	if l.period != 0 {
		c.Period = &l.period
	}
	if l.quota != 0 {
		c.Quota = &l.quota
	}
	if l.cpus != "" {
		if c.Period != nil || c.Quota != nil {
			return fmt.Errorf("--cpus contradicts --cpu-period and --cpu-quota")
		}
		const period = 100000
		n, err := strconv.ParseFloat(l.cpus, 64)
		if err != nil || !(n >= 0.01) || n > 1<<20 { // Linux: the least quota is 1 ms
			return fmt.Errorf("--cpus %q: it is a number from 0.01 on", l.cpus)
		}
		c.Period, c.Quota = new(uint64(period)), new(int64(math.Round(n*period)))
	}
	if c != (specs.LinuxCPU{}) {
		r.CPU = &c
	}
	return nil
}

// blockLimits are those on disks.
func (l *limits) blockLimits(r *specs.LinuxResources) error {
	b := &specs.LinuxBlockIO{}
	for _, t := range []struct {
		flag string
		list []string
		to   *[]specs.LinuxThrottleDevice
	}{
		{"--device-read-bps", l.readBps, &b.ThrottleReadBpsDevice}, {"--device-write-bps", l.writeBps, &b.ThrottleWriteBpsDevice},
		{"--device-read-iops", l.readIOPS, &b.ThrottleReadIOPSDevice}, {"--device-write-iops", l.writeIOPS, &b.ThrottleWriteIOPSDevice},
	} {
		for _, text := range t.list {
			d, err := throttle(text)
			if err != nil {
				return fmt.Errorf("%s %q: %w", t.flag, text, err)
			}
			*t.to = append(*t.to, d)
			r.BlockIO = b
		}
	}
	if l.weight != 0 {
		if l.weight < 10 || l.weight > 1000 {
			return fmt.Errorf("--blkio-weight %d: it is from 10 to 1000", l.weight)
		}
		b.Weight, r.BlockIO = &l.weight, b
	}
	return nil
}

// throttle is DEVICE:RATE.
func throttle(text string) (d specs.LinuxThrottleDevice, err error) {
	path, rate, ok := strings.Cut(text, ":")
	if !ok {
		return d, fmt.Errorf("it is DEVICE:RATE")
	}
	n, err := units.RAMInBytes(rate)
	if err != nil || n < 0 {
		return d, fmt.Errorf("%q is no rate", rate)
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return d, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return d, fmt.Errorf("not a block device")
	}
	d.Major, d.Minor, d.Rate = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev)), uint64(n)
	return d, nil
}
