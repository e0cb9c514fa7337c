package spec

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const (
	// maxSyscallArgs is the number of arguments of a system call.
	maxSyscallArgs = 6
	// maxErrno is the greatest value that a filter can return beside its action.
	maxErrno = 1<<16 - 1
	// flagTSYNC is listed by the specification, but has no constant in its Go types.
	flagTSYNC = "SECCOMP_FILTER_FLAG_TSYNC"
)

// checkSeccomp takes a profile with neither default action nor rules for
// none, as runc does.
func checkSeccomp(s *specs.Spec) *Error {
	p := linux(s).Seccomp
	if p == nil || p.DefaultAction == "" && len(p.Syscalls) == 0 {
		return nil
	}
	e := checkProfile(p)
	for i := 0; i < len(p.Syscalls) && e == nil; i++ {
		e = in(at("syscalls", i), checkRule(p, &p.Syscalls[i]))
	}
	return in("linux.seccomp", e)
}

func checkProfile(p *specs.LinuxSeccomp) *Error {
	if e := checkAction("defaultAction", p.DefaultAction); e != nil {
		return e
	}
	if p.DefaultAction == specs.ActNotify {
		return refuse("defaultAction", "SCMP_ACT_NOTIFY cannot be used as default action")
	}
	if e := checkErrno("defaultErrnoRet", p.DefaultAction, p.DefaultErrnoRet); e != nil {
		return e
	}
	for i, arch := range p.Architectures {
		if !knownArch(arch) {
			return refuse(at("architectures", i), shown(string(arch))+" is not a seccomp architecture")
		}
	}
	for i, flag := range p.Flags {
		if !knownFilterFlag(flag) {
			return refuse(at("flags", i), "seccomp flag "+shown(string(flag))+" is not known")
		}
	}
	switch {
	case p.ListenerMetadata != "" && p.ListenerPath == "":
		return refuse("listenerMetadata", "must not be set without listenerPath")
	case hasNUL(p.ListenerPath):
		return refuse("listenerPath", reasonNUL)
	}
	return nil
}

func checkRule(p *specs.LinuxSeccomp, rule *specs.LinuxSyscall) *Error {
	if e := checkAction("action", rule.Action); e != nil {
		return e
	}
	if e := checkErrno("errnoRet", rule.Action, rule.ErrnoRet); e != nil {
		return e
	}
	switch {
	case len(rule.Names) == 0:
		return refuse("names", "must contain at least one entry")
	case slices.Contains(rule.Names, ""):
		return refuse("names", "an empty string is not a system call")
	case rule.Action != specs.ActNotify:
	case slices.Contains(rule.Names, "write"):
		return refuse("names", "SCMP_ACT_NOTIFY cannot be used for the write syscall")
	case p.ListenerPath == "":
		return refuse("action", "SCMP_ACT_NOTIFY needs linux.seccomp.listenerPath")
	}
	for i := range rule.Args {
		if e := checkCondition(&rule.Args[i]); e != nil {
			return in(at("args", i), e)
		}
	}
	return nil
}

func checkCondition(arg *specs.LinuxSeccompArg) *Error {
	if arg.Index >= maxSyscallArgs {
		return refuse("index", "must be between 0 and 5")
	}
	switch arg.Op {
	case specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo, specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual:
		return nil
	}
	return refuse("op", shown(string(arg.Op))+" is not a seccomp operator")
}

func checkAction(field string, action specs.LinuxSeccompAction) *Error {
	switch action {
	case specs.ActKill, specs.ActKillProcess, specs.ActKillThread, specs.ActTrap, specs.ActErrno, specs.ActTrace, specs.ActAllow, specs.ActLog, specs.ActNotify:
		return nil
	}
	return refuse(field, shown(string(action))+" is not a seccomp action")
}

// checkErrno: an error number with an action that does not take one must fail.
func checkErrno(field string, action specs.LinuxSeccompAction, errno *uint) *Error {
	switch {
	case errno == nil:
		return nil
	case action != specs.ActErrno && action != specs.ActTrace:
		return refuse(field, string(action)+" does not take an error number")
	case *errno > maxErrno:
		return refuse(field, "must not be greater than 65535")
	}
	return nil
}

func knownArch(arch specs.Arch) bool {
	switch arch {
	case specs.ArchX86, specs.ArchX86_64, specs.ArchX32, specs.ArchARM, specs.ArchAARCH64,
		specs.ArchMIPS, specs.ArchMIPS64, specs.ArchMIPS64N32, specs.ArchMIPSEL, specs.ArchMIPSEL64, specs.ArchMIPSEL64N32,
		specs.ArchPPC, specs.ArchPPC64, specs.ArchPPC64LE, specs.ArchS390, specs.ArchS390X, specs.ArchPARISC, specs.ArchPARISC64,
		specs.ArchRISCV64, specs.ArchLOONGARCH64, specs.ArchM68K, specs.ArchSH, specs.ArchSHEB:
		return true
	}
	return false
}

func knownFilterFlag(flag specs.LinuxSeccompFlag) bool {
	switch flag {
	case flagTSYNC, specs.LinuxSeccompFlagLog, specs.LinuxSeccompFlagSpecAllow, specs.LinuxSeccompFlagWaitKillableRecv:
		return true
	}
	return false
}
