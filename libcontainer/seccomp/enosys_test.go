package seccomp

import (
	"math"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/seccomp/internal/filtertest"
)

// passed is what the program after the stub returns.
const passed = 0xdead

// withStub puts the stub before a program that only says that it was reached.
func withStub(limits []Limit) []byte {
	return append(ENOSYSStub(limits), marshal([]unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: passed}})...)
}

// edges are numbers around which a stub may change its mind.
func edges(limits []Limit) []uint32 {
	numbers := []uint32{0, 1, 400, x32Bit - 1, x32Bit, x32Bit + 1, x32Bit + 400, math.MaxInt32, 1 << 31, math.MaxUint32}
	for _, limit := range limits {
		numbers = append(numbers, limit.Number-1, limit.Number, limit.Number+1)
	}
	return numbers
}

// wantENOSYS is the rule, said plainly.
func wantENOSYS(limits []Limit, audit, number uint32) bool {
	for _, limit := range limits {
		own, ok := auditArch(limit.Arch)
		x86 := limit.Arch == specs.ArchX86_64
		x32 := limit.Arch == specs.ArchX32
		isX32 := number&x32Bit != 0
		if !ok || own != audit || x86 && isX32 || x32 && !isX32 {
			continue
		}
		return number > limit.Number
	}
	return false
}

func TestENOSYSStub(t *testing.T) {
	var all []Limit
	for i, arch := range Archs() {
		all = append(all, Limit{specs.Arch(arch), uint32(300 + 10*i)})
		if arch == string(specs.ArchX32) {
			all[i].Number |= x32Bit
		}
	}
	tests := []struct {
		name   string
		limits []Limit
	}{
		{"none", nil},
		{"arm64", []Limit{{specs.ArchAARCH64, 450}}},
		{"x86-64", []Limit{{specs.ArchX86_64, 450}}},
		{"x32 alone", []Limit{{specs.ArchX32, x32Bit | 520}}},
		{"x86-64, x32", []Limit{{specs.ArchX86_64, 450}, {specs.ArchX32, x32Bit | 520}}},
		{"x32, x86-64", []Limit{{specs.ArchX32, x32Bit | 520}, {specs.ArchX86_64, 450}}},
		{"x86-64, x32, x86", []Limit{{specs.ArchX86_64, 450}, {specs.ArchX32, x32Bit | 520}, {specs.ArchX86, 460}}},
		{"the last number", []Limit{{specs.ArchAARCH64, math.MaxUint32}}},
		{"an unknown architecture", []Limit{{"SCMP_ARCH_VAX", 10}}},
		{"all", all},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			program := withStub(test.limits)
			for _, arch := range append(Archs(), "") {
				audit, _ := auditArch(specs.Arch(arch))
				for _, number := range edges(test.limits) {
					checkStub(t, program, test.limits, audit, number)
				}
			}
		})
	}
}

func checkStub(t *testing.T, program []byte, limits []Limit, audit, number uint32) {
	t.Helper()
	want := uint32(passed)
	if wantENOSYS(limits, audit, number) {
		want = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	}
	got, err := filtertest.Run(program, filtertest.Call{Number: number, Arch: audit})
	if err != nil || got != want {
		t.Errorf("architecture %#x, call %#x: got %#x, %v, want %#x", audit, number, got, err, want)
	}
}

// TestENOSYSStubLongJump has a stub four times as long as a conditional jump
// reaches.
func TestENOSYSStubLongJump(t *testing.T) {
	var sections []archSection
	for i := range uint32(300) {
		sections = append(sections, archSection{audit: i, native: 100 + i})
	}
	var tail []unix.SockFilter
	for i := len(sections) - 1; i >= 0; i-- {
		tail = append(sections[i].instructions(uint32(len(tail))), tail...)
	}
	program := append([]unix.SockFilter{load(offsetArch)}, tail...)
	if len(program) < 4*255 {
		t.Fatalf("the program has %d instructions only", len(program))
	}
	bytes := marshal(append(program, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: passed}))
	for _, audit := range []uint32{0, 1, 50, 299, 300} {
		for number, want := range map[uint32]uint32{100: passed, 100 + audit: passed, 101 + audit: 0x50026} {
			if audit == 300 {
				want = passed
			}
			if got, err := filtertest.Run(bytes, filtertest.Call{Number: number, Arch: audit}); got != want || err != nil {
				t.Errorf("architecture %d, call %d: got %#x, %v, want %#x", audit, number, got, err, want)
			}
		}
	}
}

func TestWantsENOSYS(t *testing.T) {
	tests := []struct {
		name   string
		action specs.LinuxSeccompAction
		errno  *uint
		want   bool
	}{
		{"allow", specs.ActAllow, nil, false},
		{"log", specs.ActLog, nil, false},
		{"trace", specs.ActTrace, nil, false},
		{"errno", specs.ActErrno, nil, true},
		{"errno EPERM", specs.ActErrno, new(uint(1)), true},
		{"errno ENOSYS", specs.ActErrno, new(uint(38)), false},
		{"kill", specs.ActKill, nil, true},
		{"kill process", specs.ActKillProcess, nil, true},
		{"trap", specs.ActTrap, nil, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := WantsENOSYS(&specs.LinuxSeccomp{DefaultAction: test.action, DefaultErrnoRet: test.errno}); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
