package filtertest

import (
	"encoding/binary"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Profile makes a profile of bytes: any bytes make one, most of it sound, and
// small changes of the bytes make small changes of the profile.
func Profile(data []byte) *specs.LinuxSeccomp {
	r := &source{data}
	p := &specs.LinuxSeccomp{
		DefaultAction:   pick(r, actions),
		DefaultErrnoRet: r.errno(),
		ListenerPath:    pick(r, []string{"", "/run/agent.sock"}),
	}
	for range r.below(4) {
		p.Architectures = append(p.Architectures, pick(r, archs))
	}
	for range r.below(3) {
		p.Flags = append(p.Flags, pick(r, flags))
	}
	for len(r.data) > 0 {
		p.Syscalls = append(p.Syscalls, r.rule())
	}
	return p
}

// The last of each is unknown.
var (
	actions = []specs.LinuxSeccompAction{specs.ActErrno, specs.ActAllow, specs.ActKill, specs.ActKillProcess,
		specs.ActTrap, specs.ActTrace, specs.ActLog, specs.ActNotify, "SCMP_ACT_DANCE"}
	operators = []specs.LinuxSeccompOperator{specs.OpEqualTo, specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual,
		specs.OpGreaterThan, specs.OpGreaterEqual, specs.OpMaskedEqual, "SCMP_CMP_LIKE"}
	archs = []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32, specs.ArchAARCH64, specs.ArchARM,
		specs.ArchRISCV64, specs.ArchMIPSEL64N32, specs.ArchS390X, "SCMP_ARCH_VAX"}
	flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog, specs.LinuxSeccompFlagSpecAllow,
		specs.LinuxSeccompFlagWaitKillableRecv, "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_X"}
	names = []string{"read", "write", "openat", "socket", "chown32", "mount", "clone", "futex", "statx", "socketcall",
		"set_tls", "semop", "ioctl", "frobnicate", "", "\x00", "é\xff\""}
)

// source gives out bytes, zeros after the last.
type source struct{ data []byte }

// take gives n bytes.
func (r *source) take(n int) []byte {
	out := make([]byte, n)
	r.data = r.data[copy(out, r.data):]
	return out
}

// below gives a number from 0 to n-1.
func (r *source) below(n int) int { return int(r.take(1)[0]) % n }

// value gives a 64-bit number, often with simple halves.
func (r *source) value() uint64 {
	switch r.below(4) {
	case 0:
		return uint64(r.below(256))
	case 1:
		return uint64(r.below(256)) << 32
	case 2:
		return ^uint64(r.below(256))
	}
	return binary.LittleEndian.Uint64(r.take(8))
}

// errno gives an errno or none.
func (r *source) errno() *uint {
	if r.below(3) > 0 {
		return nil
	}
	return new(uint(r.below(2)*4000 + r.below(256)))
}

// rule gives an entry of syscalls; it takes at least one byte.
func (r *source) rule() specs.LinuxSyscall {
	rule := specs.LinuxSyscall{Action: pick(r, actions), ErrnoRet: r.errno()}
	for range r.below(4) {
		rule.Names = append(rule.Names, pick(r, names))
	}
	for range r.below(4) {
		rule.Args = append(rule.Args, specs.LinuxSeccompArg{
			Index: uint(r.below(7)), Op: pick(r, operators), Value: r.value(), ValueTwo: r.value(),
		})
	}
	return rule
}

// pick gives one of a list.
func pick[T any](r *source, list []T) T { return list[r.below(len(list))] }
