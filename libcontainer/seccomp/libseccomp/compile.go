//go:build cgo && linux

package libseccomp

import (
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	library "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/seccomp"
)

// treeThreshold is the number of rules above which a binary tree over the
// system call numbers beats a list (libseccomp 2.5). The tree has leaves of
// four, and libseccomp up to 2.5.4 fails on a tree without rules.
const treeThreshold = 32

// apiLevel is the libseccomp feature level that every kernel since 5.7 has:
// all actions and seccomp notify.
const apiLevel = 6

// Version is libseccomp's, such as "2.5.4".
func Version() string {
	major, minor, micro := library.GetLibraryVersion()
	return fmt.Sprintf("%d.%d.%d", major, minor, micro)
}

// Compile turns a profile into a filter. It checks the profile first
// (*seccomp.FieldError); other errors are libseccomp's, with the field. What
// comes out depends on the profile and on libseccomp's version, not on the
// running kernel.
func Compile(p *specs.LinuxSeccomp, unknown seccomp.UnknownNames) (seccomp.Filter, error) {
	if !seccomp.Enabled(p) {
		return seccomp.Filter{}, nil
	}
	if err := seccomp.Check(p); err != nil {
		return seccomp.Filter{}, err
	}
	c, err := newContext(p)
	if err != nil {
		return seccomp.Filter{}, err
	}
	defer c.filter.Release()
	if err := c.addRules(p, unknown); err != nil {
		return seccomp.Filter{}, err
	}
	program, err := c.program(p)
	if err != nil {
		return seccomp.Filter{}, err
	}
	filter := seccomp.Filter{Program: program, Flags: seccomp.FilterFlags(p), Notify: seccomp.Notifies(p)}
	return filter, filter.CheckLength()
}

// context is a filter while rules are added.
type context struct {
	filter *library.ScmpFilter
	archs  []library.ScmpArch // in the order of seccomp.FilterArchs
	rules  int                // added
}

// newContext makes a filter without rules. The library probes the kernel that
// it runs on, which may be another one than the filter is for, or itself hide
// behind a filter: so the level is set.
func newContext(p *specs.LinuxSeccomp) (*context, error) {
	if err := library.SetAPI(apiLevel); err != nil {
		return nil, fmt.Errorf("setting libseccomp's API level: %w", err)
	}
	filter, err := library.NewFilter(action(seccomp.ReturnValue(p.DefaultAction, p.DefaultErrnoRet)))
	if err != nil {
		return nil, fmt.Errorf("creating a libseccomp filter: %w", err)
	}
	c := &context{filter: filter}
	if err := c.addArchs(p); err != nil {
		filter.Release()
		return nil, err
	}
	return c, nil
}

// addArchs adds the profile's architectures; libseccomp has added the native
// one itself.
func (c *context) addArchs(p *specs.LinuxSeccomp) error {
	for _, name := range seccomp.FilterArchs(p) {
		arch, err := library.GetArchFromString(strings.TrimPrefix(string(name), "SCMP_ARCH_"))
		if err == nil {
			err = c.filter.AddArch(arch)
		}
		switch err {
		case nil:
			c.archs = append(c.archs, arch)
		case unix.EDOM:
			return fieldError("architectures", "%s has another byte order than %s", name, seccomp.NativeArch())
		default:
			return fieldError("architectures", "%s: %v", name, err)
		}
	}
	return nil
}

// addRules adds the profile's rules in their order. One that says what the
// default says anyway is left out, because libseccomp refuses it.
func (c *context) addRules(p *specs.LinuxSeccomp, unknown seccomp.UnknownNames) error {
	byDefault := seccomp.ReturnValue(p.DefaultAction, p.DefaultErrnoRet)
	for i := range p.Syscalls {
		rule := &p.Syscalls[i]
		value := seccomp.ReturnValue(rule.Action, rule.ErrnoRet)
		if value == byDefault {
			continue
		}
		groups, err := conditions(rule.Args)
		if err != nil {
			return fieldError(fmt.Sprintf("syscalls[%d].args", i), "%v", err)
		}
		for j, name := range rule.Names {
			if err := c.addName(name, action(value), groups, unknown); err != nil {
				return fieldError(fmt.Sprintf("syscalls[%d].names[%d]", i, j), "%v", err)
			}
		}
	}
	return nil
}

// addName adds the rules for one system call, one for each group of
// conditions. The library knows the call by its native number, or by a
// pseudo number where only other architectures have it.
func (c *context) addName(name string, act library.ScmpAction, groups [][]library.ScmpCondition, unknown seccomp.UnknownNames) error {
	number, err := library.GetSyscallFromName(name)
	if err != nil {
		if unknown == seccomp.FailUnknownNames {
			return fmt.Errorf("libseccomp %s does not know the system call %q", Version(), name)
		}
		return nil
	}
	for _, group := range groups {
		switch err := c.filter.AddRuleConditional(number, act, group); err {
		case nil:
			c.rules++
		case unix.EEXIST:
			return fmt.Errorf("%s has another action under the same conditions in an earlier rule", name)
		default:
			return fmt.Errorf("adding a rule for %s: %w", name, err)
		}
	}
	return nil
}

// conditions gives the groups of conditions of which any one, in full, makes a
// rule match. All conditions form one group; but libseccomp cannot look at an
// argument twice in one rule, so then each is a group of its own.
// Compat(runc): the same reading of such a profile, as "or" instead of "and".
func conditions(args []specs.LinuxSeccompArg) ([][]library.ScmpCondition, error) {
	all := make([]library.ScmpCondition, len(args))
	var seen [6]bool
	twice := false
	for i, arg := range args {
		condition, err := library.MakeCondition(arg.Index, operator(arg.Op), arg.Value, arg.ValueTwo)
		if err != nil {
			return nil, err
		}
		all[i] = condition
		twice = twice || seen[arg.Index]
		seen[arg.Index] = true
	}
	if !twice {
		return [][]library.ScmpCondition{all}, nil
	}
	groups := make([][]library.ScmpCondition, len(all))
	for i := range all {
		groups[i] = all[i : i+1]
	}
	return groups, nil
}

// fieldError names the field of the profile that the library refused.
func fieldError(field, format string, args ...any) error {
	return &seccomp.FieldError{Field: "linux.seccomp." + field, Reason: fmt.Sprintf(format, args...)}
}
