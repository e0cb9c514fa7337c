package plan

import (
	"fmt"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// rlimitNames has the kernel's resources, by number on amd64 and arm64.
var rlimitNames = [...]string{
	"RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS",
	"RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS",
	"RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
}

func rlimitNumber(name string) int {
	for i, n := range rlimitNames {
		if n == name {
			return i
		}
	}
	return -1
}

// rlimits sets the limits late, when nothing of ours can suffer from them.
// Spec: config.md#posix-process (rlimits)
func (c *compiler) rlimits(p *specs.Process) error {
	for _, r := range p.Rlimits {
		n := rlimitNumber(r.Type)
		if n < 0 {
			return &SpecError{"process.rlimits", "config.md#posix-process", r.Type + " is not a resource"}
		}
		c.do("setting "+r.Type, OpRlimit, num(n), num(r.Soft), num(r.Hard))
	}
	return nil
}

// raiseRlimits raises hard limits while the right to do so is there: in the
// container's user namespace it is not.
func (c *compiler) raiseRlimits(limits []specs.POSIXRlimit) {
	for _, r := range limits {
		if n := rlimitNumber(r.Type); n >= 0 {
			c.do("raising "+r.Type, OpRaiseRlimit, num(n), num(r.Hard))
		}
	}
}

var schedulerPolicies = [...]specs.LinuxSchedulerPolicy{
	specs.SchedOther, specs.SchedFIFO, specs.SchedRR, specs.SchedBatch, specs.SchedISO, specs.SchedIdle, specs.SchedDeadline,
}

var schedulerFlags = [...]struct {
	name specs.LinuxSchedulerFlag
	flag uint64
}{
	{specs.SchedFlagResetOnFork, 0x01},
	{specs.SchedFlagReclaim, 0x02},
	{specs.SchedFlagDLOverrun, 0x04},
	{specs.SchedFlagKeepPolicy, 0x08},
	{specs.SchedFlagKeepParams, 0x10},
	{specs.SchedFlagUtilClampMin, 0x20},
	{specs.SchedFlagUtilClampMax, 0x40},
}

var ioClasses = [...]specs.IOPriorityClass{"", specs.IOPRIO_CLASS_RT, specs.IOPRIO_CLASS_BE, specs.IOPRIO_CLASS_IDLE}

// scheduling sets the scheduler and the I/O priority.
// Spec: config.md#linux-process (scheduler, ioPriority)
func (c *compiler) scheduling(p *specs.Process) error {
	if s := p.Scheduler; s != nil {
		policy := 0
		for i, name := range schedulerPolicies {
			if s.Policy == name {
				policy = i
			}
		}
		var flags uint64
		for _, f := range s.Flags {
			for _, known := range schedulerFlags {
				if f == known.name {
					flags |= known.flag
				}
			}
		}
		c.do("setting process.scheduler", OpScheduler, num(policy), num(flags), num(s.Nice), num(s.Priority),
			num(s.Runtime), num(s.Deadline), num(s.Period))
	}
	if io := p.IOPriority; io != nil {
		class := 0
		for i, name := range ioClasses {
			if io.Class == name {
				class = i
			}
		}
		c.do("setting process.ioPriority", OpIOPriority, num(uint64(class)<<13|uint64(io.Priority)))
	}
	return nil
}

var memoryModes = [...]specs.MemoryPolicyModeType{
	specs.MpolDefault, specs.MpolPreferred, specs.MpolBind, specs.MpolInterleave, specs.MpolLocal,
	specs.MpolPreferredMany, specs.MpolWeightedInterleave,
}

var memoryFlags = [...]struct {
	name specs.MemoryPolicyFlagType
	flag uint64
}{
	{specs.MpolFNumaBalancing, unix.MPOL_F_NUMA_BALANCING},
	{specs.MpolFRelativeNodes, unix.MPOL_F_RELATIVE_NODES},
	{specs.MpolFStaticNodes, unix.MPOL_F_STATIC_NODES},
}

// memory sets the personality and the NUMA memory policy.
// Spec: config-linux.md#personality, config-linux.md#memory-policy
func (c *compiler) memory(*specs.Process) error {
	if p := c.spec.Linux.Personality; p != nil {
		domain := uint64(0)
		if p.Domain == specs.PerLinux32 {
			domain = 0x0008
		}
		c.do("setting linux.personality", OpPersonality, num(domain))
	}
	m := c.spec.Linux.MemoryPolicy
	if m == nil {
		return nil
	}
	var mode uint64
	for i, name := range memoryModes {
		if m.Mode == name {
			mode = uint64(i)
		}
	}
	for _, f := range m.Flags {
		for _, known := range memoryFlags {
			if f == known.name {
				mode |= known.flag
			}
		}
	}
	nodes, err := listMask(m.Nodes, maxNode)
	if err != nil {
		return &SpecError{"linux.memoryPolicy.nodes", "config-linux.md#memory-policy", err.Error()}
	}
	c.do("setting linux.memoryPolicy", OpMemoryPolicy, num(mode), raw(nodes), num(8*len(nodes)))
	return nil
}

// maxNode is more than any kernel is built for (CONFIG_NODES_SHIFT 10).
const maxNode = 1023

// listMask turns "0-3,7" into bits, whole words of 8 bytes. Empty elements are
// passed over, as package spec does.
func listMask(text string, most int) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	mask := make([]byte, (most+1)/8)
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		from, to, ranged := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		last := first
		if err == nil && ranged {
			last, err = strconv.Atoi(to)
		}
		if err != nil || first < 0 || last < first || last > most {
			return nil, fmt.Errorf("%q is not a number or a range of numbers up to %d", part, most)
		}
		for n := first; n <= last; n++ {
			mask[n/8] |= 1 << (n % 8)
		}
	}
	return mask, nil
}
