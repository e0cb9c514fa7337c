package seccomp

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Largest values that an action can carry, in errno numbers: libseccomp stops
// one below the kernel's MAX_ERRNO, a tracer gets 16 bits.
const (
	maxErrnoRet = 4094
	maxTraceRet = 0xffff
)

// ReturnValue is what a filter returns to the kernel for an action: a
// SECCOMP_RET_* with, for SCMP_ACT_ERRNO and SCMP_ACT_TRACE, the errno in its
// low bits (EPERM for nil). The action has been checked; an unknown one kills.
func ReturnValue(action specs.LinuxSeccompAction, errnoRet *uint) uint32 {
	ret, _ := actionBase(action)
	if takesErrno(action) {
		ret |= uint32(errnoOr(errnoRet, uint(unix.EPERM)))
	}
	return ret
}

// actionBase gives an action's SECCOMP_RET_*.
func actionBase(action specs.LinuxSeccompAction) (uint32, bool) {
	switch action {
	case specs.ActKill, specs.ActKillThread:
		return unix.SECCOMP_RET_KILL_THREAD, true
	case specs.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS, true
	case specs.ActTrap:
		return unix.SECCOMP_RET_TRAP, true
	case specs.ActErrno:
		return unix.SECCOMP_RET_ERRNO, true
	case specs.ActTrace:
		return unix.SECCOMP_RET_TRACE, true
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW, true
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG, true
	case specs.ActNotify:
		return unix.SECCOMP_RET_USER_NOTIF, true
	}
	return unix.SECCOMP_RET_KILL_THREAD, false
}

// takesErrno says whether an action has room for an errno.
func takesErrno(action specs.LinuxSeccompAction) bool {
	return action == specs.ActErrno || action == specs.ActTrace
}

// errnoOr is *ret, or the default for nil.
func errnoOr(ret *uint, otherwise uint) uint {
	if ret == nil {
		return otherwise
	}
	return *ret
}

// checkAction finds what is wrong with an action and its errno, if anything;
// the two names are those of their fields.
func checkAction(action specs.LinuxSeccompAction, errnoRet *uint, actionField, errnoField string) *FieldError {
	if _, known := actionBase(action); !known {
		return &FieldError{actionField, fmt.Sprintf("unknown action %q", action)}
	}
	if errnoRet == nil {
		return nil
	}
	limit := uint(maxErrnoRet)
	switch {
	case !takesErrno(action):
		return &FieldError{errnoField, string(action) + " takes no errno"}
	case action == specs.ActTrace:
		limit = maxTraceRet
	}
	if *errnoRet > limit {
		return &FieldError{errnoField, fmt.Sprintf("%d is more than %d, the largest for %s", *errnoRet, limit, action)}
	}
	return nil
}
