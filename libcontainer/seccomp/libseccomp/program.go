//go:build cgo && linux

package libseccomp

import (
	"fmt"
	"io"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	library "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/seccomp"
)

// program generates the filter's program, with the ENOSYS stub before it.
func (c *context) program(p *specs.LinuxSeccomp) ([]byte, error) {
	if c.rules > treeThreshold {
		if err := c.filter.SetOptimize(2); err != nil {
			return nil, fmt.Errorf("choosing a binary tree: %w", err)
		}
	}
	program, err := c.export()
	if err != nil {
		return nil, err
	}
	if !seccomp.WantsENOSYS(p) {
		return program, nil
	}
	return append(seccomp.ENOSYSStub(c.limits(p)), program...), nil
}

// export has libseccomp write the program. Before version 2.6 it writes to a
// descriptor only; into a file of memory, so that nobody need read meanwhile.
func (c *context) export() ([]byte, error) {
	fd, err := unix.MemfdCreate("seccomp", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("creating a memory file: %w", err)
	}
	file := os.NewFile(uintptr(fd), "seccomp")
	defer file.Close()
	if err := c.filter.ExportBPF(file); err != nil {
		return nil, fmt.Errorf("generating the filter: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading the filter: %w", err)
	}
	return io.ReadAll(file)
}

// limits finds, for each architecture, the largest system call number among
// all names of the profile, those of redundant rules too: a name shows what
// its author knew. Pseudo numbers, of calls that the architecture lacks, are
// negative.
func (c *context) limits(p *specs.LinuxSeccomp) []seccomp.Limit {
	names := seccomp.FilterArchs(p)
	var limits []seccomp.Limit
	for i, arch := range c.archs {
		if largest := largestNumber(p, arch); largest > 0 {
			limits = append(limits, seccomp.Limit{Arch: names[i], Number: uint32(largest)})
		}
	}
	return limits
}

// largestNumber is 0 where the profile names no call that the architecture has.
func largestNumber(p *specs.LinuxSeccomp, arch library.ScmpArch) library.ScmpSyscall {
	var largest library.ScmpSyscall
	for i := range p.Syscalls {
		for _, name := range p.Syscalls[i].Names {
			if number, err := library.GetSyscallFromNameByArch(name, arch); err == nil {
				largest = max(largest, number)
			}
		}
	}
	return largest
}

// action translates what a filter returns to the library's numbers.
func action(ret uint32) library.ScmpAction {
	code := int16(ret & unix.SECCOMP_RET_DATA)
	switch ret & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_KILL_PROCESS:
		return library.ActKillProcess
	case unix.SECCOMP_RET_TRAP:
		return library.ActTrap
	case unix.SECCOMP_RET_ERRNO:
		return library.ActErrno.SetReturnCode(code)
	case unix.SECCOMP_RET_USER_NOTIF:
		return library.ActNotify
	case unix.SECCOMP_RET_TRACE:
		return library.ActTrace.SetReturnCode(code)
	case unix.SECCOMP_RET_LOG:
		return library.ActLog
	case unix.SECCOMP_RET_ALLOW:
		return library.ActAllow
	}
	return library.ActKillThread
}

// operator translates a comparison, which has been checked.
func operator(op specs.LinuxSeccompOperator) library.ScmpCompareOp {
	switch op {
	case specs.OpNotEqual:
		return library.CompareNotEqual
	case specs.OpLessThan:
		return library.CompareLess
	case specs.OpLessEqual:
		return library.CompareLessOrEqual
	case specs.OpEqualTo:
		return library.CompareEqual
	case specs.OpGreaterEqual:
		return library.CompareGreaterEqual
	case specs.OpGreaterThan:
		return library.CompareGreater
	case specs.OpMaskedEqual:
		return library.CompareMaskedEqual
	}
	return library.CompareInvalid
}
