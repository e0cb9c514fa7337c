package spec

import (
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// checkScheduler has the rules of sched_setattr(2) that depend on names; the
// arithmetic of the deadline policy is the kernel's.
func checkScheduler(p *specs.Process) *Error {
	s := p.Scheduler
	if s == nil {
		return nil
	}
	if s.Policy == "" {
		return refuse("scheduler.policy", reasonMissing)
	}
	if !knownPolicy(s.Policy) {
		return refuse("scheduler.policy", shown(string(s.Policy))+" is not a scheduling policy")
	}
	for i, flag := range s.Flags {
		if !knownSchedulerFlag(flag) {
			return refuse(at("scheduler.flags", i), shown(string(flag))+" is not a scheduling flag")
		}
	}
	return in("scheduler", checkSchedulerNumbers(s))
}

func checkSchedulerNumbers(s *specs.Scheduler) *Error {
	realtime := s.Policy == specs.SchedFIFO || s.Policy == specs.SchedRR
	niced := s.Policy == specs.SchedOther || s.Policy == specs.SchedBatch
	keeps := slices.Contains(s.Flags, specs.SchedFlagKeepPolicy) || slices.Contains(s.Flags, specs.SchedFlagKeepParams)
	switch {
	case niced && (s.Nice < -20 || s.Nice > 19):
		return refuse("nice", strconv.Itoa(int(s.Nice))+" is not between -20 and 19")
	case !realtime && s.Priority != 0:
		return refuse("priority", "can only be specified for SCHED_FIFO and SCHED_RR")
	case realtime && !keeps && (s.Priority < 1 || s.Priority > 99):
		return refuse("priority", strconv.Itoa(int(s.Priority))+" is not between 1 and 99")
	case s.Policy != specs.SchedDeadline && (s.Runtime != 0 || s.Deadline != 0 || s.Period != 0):
		return refuse("runtime", "runtime, deadline and period can only be specified for SCHED_DEADLINE")
	}
	return nil
}

func knownPolicy(policy specs.LinuxSchedulerPolicy) bool {
	switch policy {
	case specs.SchedOther, specs.SchedFIFO, specs.SchedRR, specs.SchedBatch, specs.SchedISO, specs.SchedIdle, specs.SchedDeadline:
		return true
	}
	return false
}

func knownSchedulerFlag(flag specs.LinuxSchedulerFlag) bool {
	switch flag {
	case specs.SchedFlagResetOnFork, specs.SchedFlagReclaim, specs.SchedFlagDLOverrun, specs.SchedFlagKeepPolicy,
		specs.SchedFlagKeepParams, specs.SchedFlagUtilClampMin, specs.SchedFlagUtilClampMax:
		return true
	}
	return false
}

func checkIOPriority(p *specs.Process) *Error {
	io := p.IOPriority
	if io == nil {
		return nil
	}
	switch io.Class {
	case specs.IOPRIO_CLASS_RT, specs.IOPRIO_CLASS_BE, specs.IOPRIO_CLASS_IDLE:
	default:
		return refuse("ioPriority.class", shown(string(io.Class))+" is not an I/O scheduling class")
	}
	if io.Priority < 0 || io.Priority > 7 {
		return refuse("ioPriority.priority", strconv.Itoa(io.Priority)+" is not between 0 and 7")
	}
	return nil
}

func checkAffinity(p *specs.Process) *Error {
	if p.ExecCPUAffinity == nil {
		return nil
	}
	if _, err := ParseList(p.ExecCPUAffinity.Initial); err != nil {
		return refuse("execCPUAffinity.initial", err.Error())
	}
	if _, err := ParseList(p.ExecCPUAffinity.Final); err != nil {
		return refuse("execCPUAffinity.final", err.Error())
	}
	return nil
}
