package main

import (
	"fmt"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/pflag"
)

// limitFlags have what davit update says of cgroup limits. All but numbers
// that are plain are texts: nothing is given where they are empty, and zero is a
// value.
// Compat(runc): names, and what they accept.
type limitFlags struct {
	changed func(flag string) bool

	blkioWeight uint16
	pidsLimit   int64
	cpus, mems  string
	numbers     map[string]*string // by the flag's name
}

// numberFlags are the limits that are read from a text, in the order of help.
var numberFlags = [...]struct{ name, usage string }{
	{"cpu-period", "the period of the CPU quota in `MICROSECONDS`"},
	{"cpu-quota", "the CPU time in each period, in `MICROSECONDS`; -1 is without limit"},
	{"cpu-burst", "the CPU time that may be saved up, in `MICROSECONDS`"},
	{"cpu-share", "the `WEIGHT` in sharing CPUs, 2 to 262144"},
	{"cpu-idle", "run the container only while a CPU is idle (1), or as others are (0); `0|1`"},
	{"cpu-rt-period", "the period of the realtime quota, in `MICROSECONDS`; cgroup v1"},
	{"cpu-rt-runtime", "the realtime CPU time in each period, in `MICROSECONDS`; cgroup v1"},
	{"memory", "the limit of memory, in `BYTES` or with a unit: 64m, 1.5g; -1 is without limit"},
	{"memory-reservation", "the memory that is kept from being reclaimed first, in `BYTES`"},
	{"memory-swap", "the limit of memory and swap together, in `BYTES`; -1 is without limit"},
	{"kernel-memory", ""},
	{"kernel-memory-tcp", ""},
}

// register declares the flags.
func (f *limitFlags) register(fs *pflag.FlagSet) {
	f.numbers = make(map[string]*string, len(numberFlags))
	for _, n := range numberFlags {
		f.numbers[n.name] = fs.String(n.name, "", n.usage)
	}
	fs.StringVar(&f.cpus, "cpuset-cpus", "", "the `CPUS` to run on, such as 0-3,7")
	fs.StringVar(&f.mems, "cpuset-mems", "", "the memory `NODES` to use, such as 0-1")
	fs.Uint16Var(&f.blkioWeight, "blkio-weight", 0, "the `WEIGHT` in sharing block devices, 10 to 1000")
	fs.Int64Var(&f.pidsLimit, "pids-limit", 0, "the limit of the `NUMBER` of processes; -1 is without limit")
	_ = fs.MarkHidden("kernel-memory") // Compat(runc): accepted and ignored, with a warning
	_ = fs.MarkHidden("kernel-memory-tcp")
}

// resources are the limits that are given.
func (f *limitFlags) resources() (*specs.LinuxResources, error) {
	memory, err := f.memory()
	if err != nil {
		return nil, err
	}
	cpu, err := f.cpu()
	if err != nil {
		return nil, err
	}
	r := &specs.LinuxResources{Memory: memory, CPU: cpu}
	if f.blkioWeight != 0 {
		r.BlockIO = &specs.LinuxBlockIO{Weight: &f.blkioWeight}
	}
	if f.changed("pids-limit") {
		r.Pids = &specs.LinuxPids{Limit: &f.pidsLimit}
	}
	return r, nil
}

func (f *limitFlags) cpu() (*specs.LinuxCPU, error) {
	c := &specs.LinuxCPU{Cpus: f.cpus, Mems: f.mems}
	return c, firstError(
		number(f, "cpu-period", &c.Period, unsigned),
		number(f, "cpu-quota", &c.Quota, signed),
		number(f, "cpu-burst", &c.Burst, unsigned),
		number(f, "cpu-share", &c.Shares, unsigned),
		number(f, "cpu-idle", &c.Idle, signed),
		number(f, "cpu-rt-period", &c.RealtimePeriod, unsigned),
		number(f, "cpu-rt-runtime", &c.RealtimeRuntime, signed),
	)
}

func (f *limitFlags) memory() (*specs.LinuxMemory, error) {
	m := &specs.LinuxMemory{}
	return m, firstError(
		number(f, "memory", &m.Limit, bytesOrUnlimited),
		number(f, "memory-reservation", &m.Reservation, bytesOrUnlimited),
		number(f, "memory-swap", &m.Swap, bytesOrUnlimited),
		number(f, "kernel-memory", &m.Kernel, bytesOrUnlimited), //nolint:staticcheck // accepted, and ignored by the kernel
		number(f, "kernel-memory-tcp", &m.KernelTCP, bytesOrUnlimited),
	)
}

// number reads the flag of this name, if it is given.
func number[T any](f *limitFlags, name string, to **T, parse func(string) (T, error)) error {
	text := *f.numbers[name]
	if text == "" {
		return nil
	}
	v, err := parse(text)
	if err != nil {
		return fmt.Errorf("invalid value for %s: %w", name, err)
	}
	*to = &v
	return nil
}

func unsigned(text string) (uint64, error) { return strconv.ParseUint(text, 10, 64) }
func signed(text string) (int64, error)    { return strconv.ParseInt(text, 10, 64) }

// bytesOrUnlimited reads a size, or -1 for none.
func bytesOrUnlimited(text string) (int64, error) {
	if text == "-1" {
		return -1, nil
	}
	return parseSize(text)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
