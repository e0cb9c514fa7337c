//go:build cgo && linux

package libseccomp

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	library "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/seccomp"
	"github.com/davit-containers/davit/libcontainer/seccomp/internal/filtertest"
)

// What filters return.
const (
	allowed = unix.SECCOMP_RET_ALLOW
	eperm   = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	enoent  = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOENT)
	enosys  = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	killed  = unix.SECCOMP_RET_KILL_THREAD
)

// read reads a profile of the parent's testdata.
func read(t testing.TB, name string) *specs.LinuxSeccomp {
	t.Helper()
	data, err := os.ReadFile("../testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	p := new(specs.LinuxSeccomp)
	if err := json.Unmarshal(data, p); err != nil {
		t.Fatal(err)
	}
	return p
}

func compileProfile(t testing.TB, p *specs.LinuxSeccomp) seccomp.Filter {
	t.Helper()
	filter, err := Compile(p, seccomp.SkipUnknownNames)
	if err != nil {
		t.Fatal(err)
	}
	return filter
}

// call is a system call by name; an architecture that lacks it ends the test.
func call(t testing.TB, arch library.ScmpArch, audit uint32, name string, args ...uint64) filtertest.Call {
	t.Helper()
	number, err := library.GetSyscallFromNameByArch(name, arch)
	if err != nil || number < 0 {
		t.Fatalf("%v has no %s", arch, name)
	}
	c := filtertest.Call{Number: uint32(number), Arch: audit}
	copy(c.Args[:], args)
	return c
}

// native is a call on the architecture that the test runs on.
func native(t testing.TB, name string, args ...uint64) filtertest.Call {
	audit := map[specs.Arch]uint32{
		specs.ArchX86_64:  unix.AUDIT_ARCH_X86_64,
		specs.ArchAARCH64: unix.AUDIT_ARCH_AARCH64,
	}[seccomp.NativeArch()]
	return call(t, library.ArchNative, audit, name, args...)
}

func check(t testing.TB, filter seccomp.Filter, c filtertest.Call, want uint32) {
	t.Helper()
	got, err := filtertest.Run(filter.Program, c)
	if err != nil || got != want {
		t.Errorf("call %#x%x of %#x: got %#x, %v, want %#x", c.Number, c.Args, c.Arch, got, err, want)
	}
}

func TestActions(t *testing.T) {
	tests := []struct {
		name   string
		action specs.LinuxSeccompAction
		ret    *uint
		want   uint32
	}{
		{"errno", specs.ActErrno, nil, eperm},
		{"errno 100", specs.ActErrno, new(uint(100)), 0x50064},
		{"errno 0", specs.ActErrno, new(uint(0)), 0x50000},
		{"errno 4094", specs.ActErrno, new(uint(4094)), 0x50ffe},
		{"kill", specs.ActKill, nil, killed},
		{"kill thread", specs.ActKillThread, nil, killed},
		{"kill process", specs.ActKillProcess, nil, 0x80000000},
		{"trap", specs.ActTrap, nil, 0x30000},
		{"trace", specs.ActTrace, nil, 0x7ff00001},
		{"trace 65535", specs.ActTrace, new(uint(65535)), 0x7ff0ffff},
		{"log", specs.ActLog, nil, 0x7ffc0000},
		{"notify", specs.ActNotify, nil, 0x7fc00000},
	}
	for _, test := range tests {
		t.Run("rule "+test.name, func(t *testing.T) {
			filter := compileProfile(t, &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow,
				Syscalls:      []specs.LinuxSyscall{{Names: []string{"mkdirat", "fchmod"}, Action: test.action, ErrnoRet: test.ret}},
			})
			check(t, filter, native(t, "mkdirat"), test.want)
			check(t, filter, native(t, "fchmod"), test.want)
			check(t, filter, native(t, "read"), allowed)
			if want := test.action == specs.ActNotify; filter.Notify != want || (filter.Flags&8 != 0) != want {
				t.Errorf("got Notify %v, Flags %#x", filter.Notify, filter.Flags)
			}
		})
		if test.action == specs.ActNotify {
			continue
		}
		t.Run("default "+test.name, func(t *testing.T) {
			filter := compileProfile(t, &specs.LinuxSeccomp{
				DefaultAction: test.action, DefaultErrnoRet: test.ret,
				Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdirat", "uname"}, Action: specs.ActAllow}},
			})
			check(t, filter, native(t, "mkdirat"), allowed)
			check(t, filter, native(t, "close"), test.want)
		})
	}
}

// Values with both halves set: a 32-bit comparison would be wrong.
const (
	five  = uint64(5)
	high  = uint64(1 << 32)
	both  = high + five
	large = uint64(0xffffffff_00000005)
)

func TestConditions(t *testing.T) {
	arg := func(index uint, op specs.LinuxSeccompOperator, value, two uint64) specs.LinuxSeccompArg {
		return specs.LinuxSeccompArg{Index: index, Op: op, Value: value, ValueTwo: two}
	}
	tests := []struct {
		name    string
		args    []specs.LinuxSeccompArg
		matches [][]uint64
		misses  [][]uint64
	}{
		{"equal", []specs.LinuxSeccompArg{arg(0, specs.OpEqualTo, large, 0)},
			[][]uint64{{large}, {large, 9}}, [][]uint64{{five}, {both}, {0}, {large + 1}, {0, large}}},
		{"not equal", []specs.LinuxSeccompArg{arg(0, specs.OpNotEqual, high, 0)},
			[][]uint64{{0}, {both}, {2 * high}}, [][]uint64{{high}}},
		{"less", []specs.LinuxSeccompArg{arg(0, specs.OpLessThan, both, 0)},
			[][]uint64{{0}, {7}, {both - 1}}, [][]uint64{{both}, {both + 1}, {large}, {2 * high}}},
		{"less or equal", []specs.LinuxSeccompArg{arg(0, specs.OpLessEqual, both, 0)},
			[][]uint64{{0}, {7}, {both}}, [][]uint64{{both + 1}, {2 * high}}},
		{"greater", []specs.LinuxSeccompArg{arg(0, specs.OpGreaterThan, both, 0)},
			[][]uint64{{both + 1}, {2 * high}}, [][]uint64{{both}, {7}, {0}}},
		{"greater or equal", []specs.LinuxSeccompArg{arg(5, specs.OpGreaterEqual, both, 0)},
			[][]uint64{{0, 0, 0, 0, 0, both}, {0, 0, 0, 0, 0, 2 * high}}, [][]uint64{{0, 0, 0, 0, 0, both - 1}, {0, 0, 0, 0, both}}},
		{"masked", []specs.LinuxSeccompArg{arg(0, specs.OpMaskedEqual, 0xff_0000000f, high+2)},
			[][]uint64{{high + 2}, {1<<40 + high + 0xf2}}, [][]uint64{{2}, {high}, {high + 3}, {3*high + 2}}},
		{"two arguments", []specs.LinuxSeccompArg{arg(0, specs.OpEqualTo, 7, 0), arg(1, specs.OpEqualTo, 8, 0)},
			[][]uint64{{7, 8}}, [][]uint64{{7, 7}, {8, 8}, {7}, {0, 8}}},
		{"one argument twice", []specs.LinuxSeccompArg{arg(0, specs.OpEqualTo, 7, 0), arg(0, specs.OpEqualTo, 9, 0)},
			[][]uint64{{7}, {9}}, [][]uint64{{8}}},
		{"one of two twice", []specs.LinuxSeccompArg{arg(0, specs.OpEqualTo, 7, 0), arg(1, specs.OpEqualTo, 8, 0), arg(0, specs.OpEqualTo, 9, 0)},
			[][]uint64{{7}, {9}, {1, 8}}, [][]uint64{{8}, {8, 7}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			filter := compileProfile(t, &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow,
				Syscalls: []specs.LinuxSyscall{{Names: []string{"getrandom"}, Action: specs.ActErrno,
					ErrnoRet: new(uint(unix.ENOENT)), Args: test.args}},
			})
			for _, args := range test.matches {
				check(t, filter, native(t, "getrandom", args...), enoent)
			}
			for _, args := range test.misses {
				check(t, filter, native(t, "getrandom", args...), allowed)
			}
		})
	}
}

func TestRedundantRulesAreLeftOut(t *testing.T) {
	p := &specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno, DefaultErrnoRet: new(uint(1)),
		Syscalls: []specs.LinuxSyscall{{Names: []string{"statx"}, Action: specs.ActErrno}},
	}
	for i := range 50 { // more than treeThreshold names, no rule
		p.Syscalls[0].Names = append(p.Syscalls[0].Names, []string{"read", "close", "dup"}[i%3])
	}
	filter := compileProfile(t, p)
	check(t, filter, native(t, "read"), eperm)
	check(t, filter, native(t, "statx"), eperm)
	last := native(t, "statx")
	last.Number++ // their names count for ENOSYS all the same
	check(t, filter, last, enosys)
}

func TestENOSYS(t *testing.T) {
	rules := []specs.LinuxSyscall{{Names: []string{"read", "openat"}, Action: specs.ActAllow}}
	tests := []struct {
		name   string
		action specs.LinuxSeccompAction
		ret    *uint
		older  uint32 // for a call that the profile could have named
		newer  uint32
	}{
		{"errno", specs.ActErrno, nil, eperm, enosys},
		{"errno ENOENT", specs.ActErrno, new(uint(2)), enoent, enosys},
		{"errno ENOSYS", specs.ActErrno, new(uint(38)), enosys, enosys},
		{"kill", specs.ActKill, nil, killed, enosys},
		{"kill process", specs.ActKillProcess, nil, 0x80000000, enosys},
		{"trap", specs.ActTrap, nil, 0x30000, enosys},
		{"trace", specs.ActTrace, nil, 0x7ff00001, 0x7ff00001},
		{"log", specs.ActLog, nil, 0x7ffc0000, 0x7ffc0000},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			filter := compileProfile(t, &specs.LinuxSeccomp{DefaultAction: test.action, DefaultErrnoRet: test.ret, Syscalls: rules})
			check(t, filter, native(t, "openat"), allowed)
			check(t, filter, native(t, "close"), test.older)
			check(t, filter, native(t, "openat2"), test.newer)
			newer := native(t, "read")
			newer.Number = 10000
			check(t, filter, newer, test.newer)
		})
	}
}

func TestArchitectures(t *testing.T) {
	if seccomp.NativeArch() != specs.ArchX86_64 {
		t.Skip("needs an x86-64 machine")
	}
	rules := []specs.LinuxSyscall{{Names: []string{"read", "mkdir", "chown32", "socket"}, Action: specs.ActAllow}}
	tests := []struct {
		name  string
		archs []specs.Arch
		x86   uint32 // for read
		x32   uint32
		arm   uint32
	}{
		{"none", nil, killed, killed, killed},
		{"native", []specs.Arch{specs.ArchX86_64}, killed, killed, killed},
		{"not the native one", []specs.Arch{specs.ArchX86}, allowed, killed, killed},
		{"all of the machine", []specs.Arch{specs.ArchX32, specs.ArchX86, specs.ArchX86_64, specs.ArchX86}, allowed, allowed, killed},
		{"another machine's", []specs.Arch{specs.ArchAARCH64}, killed, killed, allowed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			filter := compileProfile(t, &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: test.archs, Syscalls: rules})
			check(t, filter, native(t, "read"), allowed)
			check(t, filter, native(t, "close"), eperm)
			check(t, filter, native(t, "openat2"), enosys)
			check(t, filter, call(t, library.ArchX86, unix.AUDIT_ARCH_I386, "read"), test.x86)
			check(t, filter, call(t, library.ArchX32, unix.AUDIT_ARCH_X86_64, "read"), test.x32)
			check(t, filter, call(t, library.ArchARM64, unix.AUDIT_ARCH_AARCH64, "read"), test.arm)
		})
	}
}

// TestEngineProfile asks a large profile, long enough for a binary tree.
func TestEngineProfile(t *testing.T) {
	if seccomp.NativeArch() != specs.ArchX86_64 {
		t.Skip("needs an x86-64 machine")
	}
	filter := compileProfile(t, read(t, "engine.json"))
	t.Logf("%d instructions", len(filter.Program)/seccomp.InstructionSize)
	for _, name := range []string{"read", "execve", "openat2", "futex_waitv"} {
		check(t, filter, native(t, name), allowed)
		check(t, filter, call(t, library.ArchX86, unix.AUDIT_ARCH_I386, name), allowed)
		check(t, filter, call(t, library.ArchX32, unix.AUDIT_ARCH_X86_64, name), allowed)
	}
	check(t, filter, native(t, "mount"), eperm)
	check(t, filter, native(t, "clone3"), enosys)
	check(t, filter, native(t, "clone", unix.CLONE_VM|unix.CLONE_FS), allowed)
	check(t, filter, native(t, "clone", unix.CLONE_NEWUSER), eperm)
	check(t, filter, native(t, "socket", unix.AF_INET), allowed)
	check(t, filter, native(t, "socket", unix.AF_VSOCK), eperm)
	check(t, filter, native(t, "personality", 0xffffffff), allowed)
	check(t, filter, native(t, "personality", 0xffffffff_ffffffff), eperm)
	check(t, filter, call(t, library.ArchX86, unix.AUDIT_ARCH_I386, "chown32"), allowed)
	check(t, filter, filtertest.Call{Number: 10000, Arch: unix.AUDIT_ARCH_X86_64}, enosys)
	check(t, filter, filtertest.Call{Number: 10000, Arch: unix.AUDIT_ARCH_I386}, enosys)
	check(t, filter, filtertest.Call{Number: 10000 | 1<<30, Arch: unix.AUDIT_ARCH_X86_64}, enosys)
	check(t, filter, filtertest.Call{Number: 63, Arch: unix.AUDIT_ARCH_AARCH64}, killed)
}

func TestErrors(t *testing.T) {
	mkdir := func(action specs.LinuxSeccompAction, args ...specs.LinuxSeccompArg) specs.LinuxSyscall {
		return specs.LinuxSyscall{Names: []string{"read", "mkdirat"}, Action: action, Args: args}
	}
	one := specs.LinuxSeccompArg{Index: 0, Value: 1, Op: specs.OpEqualTo}
	tests := []struct {
		name    string
		profile specs.LinuxSeccomp
		unknown seccomp.UnknownNames
		want    string // expression, "" for none
	}{
		{"a fault of the profile", specs.LinuxSeccomp{DefaultAction: "x"}, 0, `linux\.seccomp\.defaultAction: unknown action "x"`},
		{"another byte order", specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: []specs.Arch{specs.ArchS390X}}, 0,
			`linux\.seccomp\.architectures: SCMP_ARCH_S390X has another byte order than ` + string(seccomp.NativeArch())},
		{"two actions", specs.LinuxSeccomp{DefaultAction: specs.ActErrno,
			Syscalls: []specs.LinuxSyscall{mkdir(specs.ActAllow, one), mkdir(specs.ActKill, one)}}, 0,
			`linux\.seccomp\.syscalls\[1\]\.names\[0\]: read has another action under the same conditions in an earlier rule`},
		{"the same twice", specs.LinuxSeccomp{DefaultAction: specs.ActErrno,
			Syscalls: []specs.LinuxSyscall{mkdir(specs.ActAllow, one), mkdir(specs.ActAllow, one), mkdir(specs.ActAllow)}}, 0, ""},
		{"unknown name skipped", specs.LinuxSeccomp{DefaultAction: specs.ActErrno,
			Syscalls: []specs.LinuxSyscall{{Names: []string{"read", "frobnicate"}, Action: specs.ActAllow}}}, seccomp.SkipUnknownNames, ""},
		{"unknown name", specs.LinuxSeccomp{DefaultAction: specs.ActErrno,
			Syscalls: []specs.LinuxSyscall{{Names: []string{"read", "frobnicate"}, Action: specs.ActAllow}}}, seccomp.FailUnknownNames,
			`linux\.seccomp\.syscalls\[0\]\.names\[1\]: libseccomp [0-9.]+ does not know the system call "frobnicate"`},
		{"no profile", specs.LinuxSeccomp{}, 0, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Compile(&test.profile, test.unknown)
			if test.want == "" {
				if err != nil {
					t.Errorf("got %v, want no error", err)
				}
				return
			}
			if _, ok := errors.AsType[*seccomp.FieldError](err); !ok {
				t.Fatalf("got %v, want a *seccomp.FieldError", err)
			}
			if !regexp.MustCompile(`^config\.json: ` + test.want + ` \(config-linux\.md#seccomp\)$`).MatchString(err.Error()) {
				t.Errorf("got %q, want %s", err, test.want)
			}
		})
	}
}

// TestTooLong has a program that the kernel would refuse with EINVAL.
func TestTooLong(t *testing.T) {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow}
	for i := range uint64(2000) {
		p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{Names: []string{"ioctl"}, Action: specs.ActErrno,
			Args: []specs.LinuxSeccompArg{{Index: 1, Value: i * high, Op: specs.OpEqualTo}}})
	}
	if _, err := Compile(p, seccomp.SkipUnknownNames); err == nil {
		t.Error("a program that is too long is accepted")
	} else {
		t.Log(err)
	}
}

// TestDeterministic: the same profile, said in another order, gives the same
// bytes.
func TestDeterministic(t *testing.T) {
	p, q := read(t, "engine.json"), read(t, "engine.json")
	q.Architectures = append(q.Architectures[1:], q.Architectures[0], seccomp.NativeArch())
	one, two := compileProfile(t, p), compileProfile(t, q)
	if string(one.Program) != string(two.Program) {
		t.Error("got two programs from one profile")
	}
}

func TestVersion(t *testing.T) {
	if got := Version(); !regexp.MustCompile(`^2\.\d+\.\d+$`).MatchString(got) {
		t.Errorf("got %q", got)
	}
}

func BenchmarkCompile(b *testing.B) {
	p := read(b, "engine.json")
	for b.Loop() {
		compileProfile(b, p)
	}
}
