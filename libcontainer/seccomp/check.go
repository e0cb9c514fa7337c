package seccomp

import (
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// maxArgs is how many arguments a system call has.
const maxArgs = 6

// Check finds the first thing in a profile that cannot be followed. The error
// is a *FieldError. What depends on the kernel or on libseccomp's version is
// not looked at, nor are listenerPath and listenerMetadata, which the filter
// does not depend on.
// Spec: config-linux.md#seccomp
func Check(p *specs.LinuxSeccomp) error {
	if !Enabled(p) {
		return nil
	}
	for _, check := range []func(*specs.LinuxSeccomp) *FieldError{checkDefault, checkArchs, checkFlags, checkRules} {
		if err := check(p); err != nil {
			err.Field = "linux.seccomp." + err.Field
			return err
		}
	}
	return nil
}

func checkDefault(p *specs.LinuxSeccomp) *FieldError {
	if p.DefaultAction == specs.ActNotify {
		return &FieldError{"defaultAction", "SCMP_ACT_NOTIFY cannot be used as default action"}
	}
	return checkAction(p.DefaultAction, p.DefaultErrnoRet, "defaultAction", "defaultErrnoRet")
}

func checkArchs(p *specs.LinuxSeccomp) *FieldError {
	for i, arch := range p.Architectures {
		if _, known := auditArch(arch); !known {
			return &FieldError{fmt.Sprintf("architectures[%d]", i), fmt.Sprintf("unknown architecture %q", arch)}
		}
	}
	return nil
}

func checkFlags(p *specs.LinuxSeccomp) *FieldError {
	for i, flag := range p.Flags {
		if _, known := flagBit(flag); !known {
			return &FieldError{fmt.Sprintf("flags[%d]", i), fmt.Sprintf("unknown flag %q", flag)}
		}
		// The kernel answers EINVAL, which would not say why.
		if flag == specs.LinuxSeccompFlagWaitKillableRecv && !Notifies(p) {
			return &FieldError{fmt.Sprintf("flags[%d]", i), string(flag) + " needs a rule with SCMP_ACT_NOTIFY"}
		}
	}
	return nil
}

func checkRules(p *specs.LinuxSeccomp) *FieldError {
	for i := range p.Syscalls {
		if err := checkRule(&p.Syscalls[i]); err != nil {
			err.Field = fmt.Sprintf("syscalls[%d].%s", i, err.Field)
			return err
		}
	}
	return nil
}

func checkRule(rule *specs.LinuxSyscall) *FieldError {
	if err := checkAction(rule.Action, rule.ErrnoRet, "action", "errnoRet"); err != nil {
		return err
	}
	if len(rule.Names) == 0 {
		return &FieldError{"names", "names no system call"}
	}
	for i, name := range rule.Names {
		if reason := nameFault(name, rule.Action); reason != "" {
			return &FieldError{fmt.Sprintf("names[%d]", i), reason}
		}
	}
	return checkConditions(rule.Args)
}

// nameFault says what is wrong with a name, "" for nothing. A name with a NUL
// would be cut there on its way into the library, and mean another call.
func nameFault(name string, action specs.LinuxSeccompAction) string {
	switch {
	case name == "":
		return "is empty"
	case strings.IndexByte(name, 0) >= 0:
		return fmt.Sprintf("%q holds a NUL byte", name)
	case name == "write" && action == specs.ActNotify:
		// Compat(runc): the same refusal. Whoever loads a filter must be able
		// to tell so before there is an agent that could answer.
		return "SCMP_ACT_NOTIFY cannot be used for the write syscall"
	}
	return ""
}

func checkConditions(args []specs.LinuxSeccompArg) *FieldError {
	for i := range args {
		if args[i].Index >= maxArgs {
			return &FieldError{fmt.Sprintf("args[%d].index", i),
				fmt.Sprintf("%d is more than %d, a system call's last argument", args[i].Index, maxArgs-1)}
		}
		if !knownOperator(args[i].Op) {
			return &FieldError{fmt.Sprintf("args[%d].op", i), fmt.Sprintf("unknown operator %q", args[i].Op)}
		}
	}
	return nil
}
