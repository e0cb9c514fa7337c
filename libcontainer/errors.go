package libcontainer

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/host"
	"github.com/davit-containers/davit/libcontainer/plan"
	"github.com/davit-containers/davit/libcontainer/state"
)

// Sentinels on which callers branch. Their texts are read by engines.
var (
	ErrNotExist   = state.ErrNotExist
	ErrExist      = state.ErrExist
	ErrIncomplete = state.ErrIncomplete
	ErrInvalidID  = state.ErrInvalidID
	ErrNotRunning = errors.New("container not running")
	ErrRunning    = errors.New("container still running")
	ErrNotCreated = errors.New("container is not waiting to be started")
	ErrPaused     = errors.New("container paused")
	ErrNotPaused  = errors.New("container not paused")
)

// StatusError says that a container's status does not allow what was asked
// for, in the words that callers know.
type StatusError struct {
	Text string
	Kind error // a sentinel of this package
}

// Error is the text alone.
func (e *StatusError) Error() string { return e.Text }

// Unwrap is the sentinel.
func (e *StatusError) Unwrap() error { return e.Kind }

// StepError says which step of a container's plan failed.
type StepError struct {
	Step   int    // index into Plan.Steps
	Op     string // the operation's name
	Doing  string // what the step is for, such as "mounting proc at /proc"
	Errno  unix.Errno
	Detail string // what the stage found out; may be ""
}

// Error is one line: what was being done, the detail, the cause, and a hint
// in brackets where the cause is known.
func (e *StepError) Error() string {
	text := e.Doing
	if e.is(plan.OpHook) {
		text = "error " + text
	}
	if detail := oneLine(e.visibleDetail()); detail != "" {
		text += ": " + detail
	}
	text += ": " + e.cause()
	if hint := e.hint(); hint != "" {
		text += " [" + hint + "]"
	}
	return text
}

// Unwrap is the errno.
func (e *StepError) Unwrap() error { return e.Errno }

func (e *StepError) visibleDetail() string {
	switch {
	case e.is(plan.OpFind), e.is(plan.OpExec), e.is(plan.OpHook):
		return ""
	}
	return e.Detail
}

func (e *StepError) is(op plan.Op) bool { return e.Op == op.String() }

// cause is the errno's text, in the words that engines look for.
func (e *StepError) cause() string {
	switch {
	case e.is(plan.OpFind) && e.Detail == "$PATH":
		return "executable file not found in $PATH"
	case e.findsDirectory():
		return unix.EACCES.Error()
	case e.is(plan.OpHook):
		return e.hookCause()
	}
	return e.Errno.Error()
}

// findsDirectory tells whether the program is a folder. What execve(2) says of one
// is EACCES, and that is what engines know.
// Compat(moby): 20.10 makes no 126 of "is a directory".
func (e *StepError) findsDirectory() bool { return e.is(plan.OpFind) && e.Errno == unix.EISDIR }

// hookCause takes apart what the stage notes: the hook's output, a line
// break, and how it ended.
func (e *StepError) hookCause() string {
	i := strings.LastIndexByte(e.Detail, '\n')
	if i < 0 {
		return e.Errno.Error()
	}
	cause := e.Detail[i+1:]
	if number, ok := strings.CutPrefix(cause, "signal "); ok {
		if n, err := strconv.Atoi(number); err == nil {
			cause = "signal: " + unix.Signal(n).String()
		}
	}
	if output := oneLine(e.Detail[:i]); output != "" {
		cause += ", output: " + output
	}
	return cause
}

// hint says what an errno means here where it alone would mislead.
func (e *StepError) hint() string {
	switch {
	case e.is(plan.OpExec):
		return e.execHint()
	case e.findsDirectory():
		return "it is a directory"
	case e.is(plan.OpNewFS) && e.Errno == unix.EPERM && strings.Contains(e.Doing, "sysfs"):
		return "sysfs needs a network namespace that the container's user namespace owns; bind /sys instead"
	case e.is(plan.OpNewFS) && e.Errno == unix.ENODEV:
		return "the kernel does not know this type of file system"
	case e.is(plan.OpAttach) && e.Errno == unix.EROFS:
		return "its destination does not exist, and cannot be made there"
	case e.is(plan.OpNewFS) && e.Errno == unix.EPERM && strings.Contains(e.Doing, "mounting proc "):
		return "a user namespace may mount proc only where nothing covers parts of its creator's; bind /proc instead"
	case e.is(plan.OpUnshare):
		return e.unshareHint()
	case e.Errno == unix.ENOSYS, e.Errno == unix.EPERM && (e.is(plan.OpRoot) || e.is(plan.OpOpenTree)):
		return filteredHint()
	case e.is(plan.OpSetAttr) && e.Errno == unix.EPERM:
		return "a user namespace can neither lift ro, nosuid, nodev and noexec from a mount of the host nor change its atime setting"
	case e.is(plan.OpRlimit) && e.Errno == unix.EPERM, e.is(plan.OpRaiseRlimit) && e.Errno == unix.EPERM:
		return "raising a hard limit needs CAP_SYS_RESOURCE"
	case e.Errno == unix.EMFILE:
		return "a stage needs some descriptors: RLIMIT_NOFILE of process.rlimits may be too low"
	case e.is(plan.OpScheduler) && e.Errno == unix.EPERM:
		return "process scheduler can't be used together with AllowedCPUs: SCHED_DEADLINE needs all CPUs; other policies need CAP_SYS_NICE"
	case e.is(plan.OpWriteProc) && strings.Contains(e.Doing, "oomScoreAdj") && e.Errno == unix.EACCES:
		return "lowering it needs CAP_SYS_RESOURCE"
	case e.is(plan.OpRoot) && e.Errno == unix.EACCES:
		return "every directory above it must be searchable by the container's root"
	case e.is(plan.OpSetns) && e.Errno == unix.EPERM:
		return "it needs CAP_SYS_ADMIN, for a mount namespace CAP_SYS_CHROOT too, and the right to look into the container's process"
	case e.is(plan.OpSetns) && e.Errno == unix.EINVAL:
		return "the file is not a namespace of this type"
	}
	return ""
}

// unshareHint says why namespaces may be refused.
func (e *StepError) unshareHint() string {
	switch {
	case e.Errno == unix.ENOSPC:
		return "a limit of /proc/sys/user/max_*_namespaces is reached"
	case e.Errno != unix.EPERM && e.Errno != unix.EACCES:
		return ""
	}
	if reason := host.UserNSRefusal(); reason != "" {
		return reason
	}
	if host.Filtered() {
		return "davit itself is under a seccomp filter, which must allow unshare(2)"
	}
	return ""
}

// filteredHint says why a call that the kernel has may be refused.
func filteredHint() string {
	if !host.Filtered() {
		return ""
	}
	return "davit itself is under a seccomp filter, which must allow open_tree, move_mount, fsopen, fsconfig and fsmount, or none of them"
}

// execHint tells apart what execve(2) reports with one errno.
func (e *StepError) execHint() string {
	if interpreter, ok := strings.CutPrefix(e.Detail, "interpreter "); ok && e.Errno == unix.ENOENT {
		return "its ELF interpreter " + interpreter + " is missing"
	}
	if line, ok := strings.CutPrefix(e.Detail, "script "); ok {
		if strings.HasSuffix(line, "\r") {
			return fmt.Sprintf("its first line ends in a carriage return: %q", "#!"+line)
		}
		if e.Errno == unix.ENOENT {
			return "its interpreter " + strings.Fields(line + " ?")[0] + " is missing"
		}
	}
	if e.Errno == unix.ENOEXEC {
		return "it is neither a program of this architecture nor a script with a #! line"
	}
	return ""
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// pathError is an error without the name of the system call, which says
// nothing to whoever reads it.
func pathError(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
