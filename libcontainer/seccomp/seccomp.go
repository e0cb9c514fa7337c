// Package seccomp checks a configuration's seccomp profile, gives it one
// canonical form and a key, holds the compiled filter, and patches it so that
// system calls newer than the profile return ENOSYS.
//
// It is pure: no input or output, no cgo. Package seccomp/libseccomp turns a
// profile into a filter, package seccomp/compile finds or makes the filter
// on a host. It is not for loading filters: the stage does that, right before
// it executes the container's program.
package seccomp

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// section is where the specification speaks of seccomp.
const section = "config-linux.md#seccomp"

// FieldError says which field of a profile cannot be followed, and why.
type FieldError struct {
	Field  string // such as "linux.seccomp.syscalls[3].action"
	Reason string
}

// Error is one line, in the form of every error about config.json.
func (e *FieldError) Error() string {
	return "config.json: " + e.Field + ": " + e.Reason + " (" + section + ")"
}

// UnknownNames says what becomes of a system call name that the compiler does
// not know.
type UnknownNames int

const (
	// SkipUnknownNames leaves the name out: the system call is newer than
	// the library, and the profile has to serve many of them.
	SkipUnknownNames UnknownNames = iota
	// FailUnknownNames makes it an error.
	// Compat(crun): annotation run.oci.seccomp_fail_unknown_syscall.
	FailUnknownNames
)

// String is "skip" or "fail".
func (u UnknownNames) String() string {
	if u == FailUnknownNames {
		return "fail"
	}
	return "skip"
}

// Enabled says whether there is a profile at all.
// Compat(runc): a profile without default action and system calls is none.
func Enabled(p *specs.LinuxSeccomp) bool {
	return p != nil && (p.DefaultAction != "" || len(p.Syscalls) > 0)
}

// Notifies says whether the filter needs a listener: whether any rule has
// SCMP_ACT_NOTIFY.
func Notifies(p *specs.LinuxSeccomp) bool {
	if !Enabled(p) {
		return false
	}
	for i := range p.Syscalls {
		if p.Syscalls[i].Action == specs.ActNotify {
			return true
		}
	}
	return false
}

// FilterFlags are the flags for seccomp(2), SECCOMP_FILTER_FLAG_*, of a
// checked profile: those it names, SPEC_ALLOW where it names none (not even
// an empty list), and NEW_LISTENER where it notifies. TSYNC adds nothing,
// because the stage that loads the filter has one thread.
func FilterFlags(p *specs.LinuxSeccomp) uint32 {
	var bits uint32
	for _, flag := range explicitFlags(p) {
		bit, _ := flagBit(flag)
		bits |= bit
	}
	if Notifies(p) {
		bits |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	return bits
}

// explicitFlags are the profile's flags, or the default for nil.
func explicitFlags(p *specs.LinuxSeccomp) []specs.LinuxSeccompFlag {
	if p.Flags == nil {
		return []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagSpecAllow}
	}
	return p.Flags
}
