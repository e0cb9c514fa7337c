package seccomp

import (
	"math"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Limit is the largest system call number that a profile names, for one
// architecture (for x32 with bit 30 set).
type Limit struct {
	Arch   specs.Arch
	Number uint32
}

// WantsENOSYS says whether system calls that are newer than the profile are to
// return ENOSYS. A program that gets ENOSYS falls back to an older call; one
// that gets the profile's EPERM, or a signal, breaks. Nothing is needed where
// the default lets the call through or is ENOSYS itself, nor where a tracer
// decides, who may emulate the call.
func WantsENOSYS(p *specs.LinuxSeccomp) bool {
	switch p.DefaultAction {
	case specs.ActAllow, specs.ActLog, specs.ActTrace:
		return false
	}
	return p.DefaultErrnoRet == nil || *p.DefaultErrnoRet != uint(unix.ENOSYS)
}

// ENOSYSStub is a program to stand before a filter. It returns ENOSYS for a
// system call whose number is above the limit of its architecture; everything
// else runs through its end, into the filter. Architectures without limit are
// the filter's business.
func ENOSYSStub(limits []Limit) []byte {
	sections := joinLimits(limits)
	if len(sections) == 0 {
		return nil
	}
	// Built from the end: each section must know how far the end is.
	var tail []unix.SockFilter
	for i := len(sections) - 1; i >= 0; i-- {
		tail = append(sections[i].instructions(uint32(len(tail))), tail...)
	}
	return marshal(append([]unix.SockFilter{load(offsetArch)}, tail...))
}

// archSection is the check for one audit architecture. x32 is what calls with bit
// 30 set may reach, on x86-64 only. No limit is the largest number.
type archSection struct {
	audit       uint32
	native, x32 uint32
	hasX32      bool
}

// noLimit is a limit above which there is no number.
const noLimit = math.MaxUint32

// x32Bit marks the number of a system call of the x32 ABI.
const x32Bit = 1 << 30

// joinLimits puts x86-64's limit and x32's, which share an audit architecture,
// together.
func joinLimits(limits []Limit) []archSection {
	var sections []archSection
	for _, limit := range limits {
		audit, known := auditArch(limit.Arch)
		if !known {
			continue
		}
		section := sectionFor(&sections, audit)
		if limit.Arch == specs.ArchX32 {
			section.x32 = limit.Number
		} else {
			section.native = limit.Number
		}
	}
	return sections
}

// sectionFor finds the section of an audit architecture, or adds it.
func sectionFor(sections *[]archSection, audit uint32) *archSection {
	for i := range *sections {
		if (*sections)[i].audit == audit {
			return &(*sections)[i]
		}
	}
	*sections = append(*sections, archSection{audit, noLimit, noLimit, audit == unix.AUDIT_ARCH_X86_64})
	return &(*sections)[len(*sections)-1]
}

// Offsets in struct seccomp_data.
const (
	offsetNumber = 0
	offsetArch   = 4
)

// instructions check one architecture, the accumulator holding the call's. A
// conditional jump reaches 255 instructions, but here never leaves the
// section; the one out of it, over the rest of the stub, is BPF_JA, which
// reaches any distance. The kernel can evaluate all of these in advance, so
// that an always-allowed call costs no run of the filter.
func (s archSection) instructions(rest uint32) []unix.SockFilter {
	body := []unix.SockFilter{load(offsetNumber)}
	if s.hasX32 {
		body = append(body,
			jump(unix.BPF_JSET, x32Bit, 1, 0),
			jump(unix.BPF_JGT, s.native, 1, 2),
			jump(unix.BPF_JGT, s.x32, 0, 1))
	} else {
		body = append(body, jump(unix.BPF_JGT, s.native, 0, 1))
	}
	body = append(body,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: rest})
	return append([]unix.SockFilter{jump(unix.BPF_JEQ, s.audit, 0, uint8(len(body)))}, body...)
}

// load reads a word of struct seccomp_data.
func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

// jump compares the accumulator with k and skips yes or no instructions.
func jump(condition uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | condition | unix.BPF_K, Jt: yes, Jf: no, K: k}
}
