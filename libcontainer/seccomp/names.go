package seccomp

import (
	"runtime"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// flagTsync is in the specification's text but not among its constants.
const flagTsync specs.LinuxSeccompFlag = "SECCOMP_FILTER_FLAG_TSYNC"

// Actions are the names of the known actions, sorted.
// Spec: features-linux.md#seccomp
func Actions() []string {
	return []string{
		string(specs.ActAllow), string(specs.ActErrno), string(specs.ActKill),
		string(specs.ActKillProcess), string(specs.ActKillThread), string(specs.ActLog),
		string(specs.ActNotify), string(specs.ActTrace), string(specs.ActTrap),
	}
}

// Operators are the names of the known comparisons, sorted.
func Operators() []string {
	return []string{
		string(specs.OpEqualTo), string(specs.OpGreaterEqual), string(specs.OpGreaterThan),
		string(specs.OpLessEqual), string(specs.OpLessThan), string(specs.OpMaskedEqual),
		string(specs.OpNotEqual),
	}
}

// Flags are the names of the known filter flags, sorted. Which of them the
// kernel supports is known to package seccomp/compile.
func Flags() []string {
	return []string{
		string(specs.LinuxSeccompFlagLog), string(specs.LinuxSeccompFlagSpecAllow),
		string(flagTsync), string(specs.LinuxSeccompFlagWaitKillableRecv),
	}
}

// Archs are the names of the known architectures, sorted. An older libseccomp
// knows fewer, and then says so.
func Archs() []string {
	return []string{
		string(specs.ArchAARCH64), string(specs.ArchARM), string(specs.ArchLOONGARCH64),
		string(specs.ArchM68K), string(specs.ArchMIPS), string(specs.ArchMIPS64),
		string(specs.ArchMIPS64N32), string(specs.ArchMIPSEL), string(specs.ArchMIPSEL64),
		string(specs.ArchMIPSEL64N32), string(specs.ArchPARISC), string(specs.ArchPARISC64),
		string(specs.ArchPPC), string(specs.ArchPPC64), string(specs.ArchPPC64LE),
		string(specs.ArchRISCV64), string(specs.ArchS390), string(specs.ArchS390X),
		string(specs.ArchSH), string(specs.ArchSHEB), string(specs.ArchX32),
		string(specs.ArchX86), string(specs.ArchX86_64),
	}
}

// ArchsOf are those of Archs that a version of libseccomp knows, "2.5.4".
// Source: libseccomp's CHANGELOG, 2.6.0.
func ArchsOf(version string) []string {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	x, _ := strconv.Atoi(major)
	y, _ := strconv.Atoi(minor)
	if x > 2 || x == 2 && y >= 6 {
		return Archs()
	}
	return slices.DeleteFunc(Archs(), func(arch string) bool {
		switch specs.Arch(arch) {
		case specs.ArchLOONGARCH64, specs.ArchM68K, specs.ArchSH, specs.ArchSHEB:
			return true
		}
		return false
	})
}

// NativeArch is the architecture that this program was built for.
func NativeArch() specs.Arch {
	switch runtime.GOARCH {
	case "amd64":
		return specs.ArchX86_64
	case "arm64":
		return specs.ArchAARCH64
	case "riscv64":
		return specs.ArchRISCV64
	case "ppc64le":
		return specs.ArchPPC64LE
	case "s390x":
		return specs.ArchS390X
	case "loong64":
		return specs.ArchLOONGARCH64
	case "arm":
		return specs.ArchARM
	case "386":
		return specs.ArchX86
	}
	return ""
}

// FilterArchs are the architectures that a filter covers: the native one
// first, whether the profile names it or not, then the others, sorted, each
// once.
func FilterArchs(p *specs.LinuxSeccomp) []specs.Arch {
	native := NativeArch()
	archs := make([]specs.Arch, 1, len(p.Architectures)+1)
	archs[0] = native
	for _, arch := range p.Architectures {
		if arch != native {
			archs = append(archs, arch)
		}
	}
	slices.Sort(archs[1:])
	return slices.Compact(archs)
}

// auditArch gives the number by which the kernel names an architecture to a
// filter. X32 shares x86-64's, and sets bit 30 of the system call's number.
func auditArch(arch specs.Arch) (uint32, bool) {
	switch arch {
	case specs.ArchX86:
		return unix.AUDIT_ARCH_I386, true
	case specs.ArchX86_64, specs.ArchX32:
		return unix.AUDIT_ARCH_X86_64, true
	case specs.ArchARM:
		return unix.AUDIT_ARCH_ARM, true
	case specs.ArchAARCH64:
		return unix.AUDIT_ARCH_AARCH64, true
	case specs.ArchRISCV64:
		return unix.AUDIT_ARCH_RISCV64, true
	case specs.ArchLOONGARCH64:
		return unix.AUDIT_ARCH_LOONGARCH64, true
	}
	return otherAuditArch(arch)
}

// otherAuditArch knows the architectures that davit is not built for, which a
// profile may name all the same.
func otherAuditArch(arch specs.Arch) (uint32, bool) {
	switch arch {
	case specs.ArchMIPS:
		return unix.AUDIT_ARCH_MIPS, true
	case specs.ArchMIPS64:
		return unix.AUDIT_ARCH_MIPS64, true
	case specs.ArchMIPS64N32:
		return unix.AUDIT_ARCH_MIPS64N32, true
	case specs.ArchMIPSEL:
		return unix.AUDIT_ARCH_MIPSEL, true
	case specs.ArchMIPSEL64:
		return unix.AUDIT_ARCH_MIPSEL64, true
	case specs.ArchMIPSEL64N32:
		return unix.AUDIT_ARCH_MIPSEL64N32, true
	case specs.ArchPPC:
		return unix.AUDIT_ARCH_PPC, true
	case specs.ArchPPC64:
		return unix.AUDIT_ARCH_PPC64, true
	case specs.ArchPPC64LE:
		return unix.AUDIT_ARCH_PPC64LE, true
	case specs.ArchS390:
		return unix.AUDIT_ARCH_S390, true
	case specs.ArchS390X:
		return unix.AUDIT_ARCH_S390X, true
	case specs.ArchPARISC:
		return unix.AUDIT_ARCH_PARISC, true
	case specs.ArchPARISC64:
		return unix.AUDIT_ARCH_PARISC64, true
	case specs.ArchM68K:
		return unix.AUDIT_ARCH_M68K, true
	case specs.ArchSH: // libseccomp's SH is the little-endian one
		return unix.AUDIT_ARCH_SHEL, true
	case specs.ArchSHEB:
		return unix.AUDIT_ARCH_SH, true
	}
	return 0, false
}

// flagBit gives a flag's bit for seccomp(2); see FilterFlags for TSYNC.
func flagBit(flag specs.LinuxSeccompFlag) (uint32, bool) {
	switch flag {
	case flagTsync:
		return 0, true
	case specs.LinuxSeccompFlagLog:
		return unix.SECCOMP_FILTER_FLAG_LOG, true
	case specs.LinuxSeccompFlagSpecAllow:
		return unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, true
	case specs.LinuxSeccompFlagWaitKillableRecv:
		return unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, true
	}
	return 0, false
}

// FlagName is the specification's name of one bit that FilterFlags gives, or
// the kernel's for a bit that the specification does not name.
func FlagName(bit uint32) string {
	for _, name := range Flags() {
		if known, _ := flagBit(specs.LinuxSeccompFlag(name)); known == bit && bit != 0 {
			return name
		}
	}
	if bit == unix.SECCOMP_FILTER_FLAG_NEW_LISTENER {
		return "SECCOMP_FILTER_FLAG_NEW_LISTENER"
	}
	return "0x" + strconv.FormatUint(uint64(bit), 16)
}

// knownOperator says whether a comparison is in the specification's table.
func knownOperator(op specs.LinuxSeccompOperator) bool {
	switch op {
	case specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo,
		specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual:
		return true
	}
	return false
}
