package compile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/seccomp"
)

// try loads a profile in a child and makes calls under it.
func try(t *testing.T, p *specs.LinuxSeccomp, calls ...[7]uint64) []result {
	t.Helper()
	results, output, err := runChild(t, order{Filter: mustLoad(t, p), Calls: calls})
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return results
}

// allowing is a profile that treats some calls differently.
func allowing(action specs.LinuxSeccompAction, ret *uint, names ...string) *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Architectures: []specs.Arch{seccomp.NativeArch()},
		Syscalls:      []specs.LinuxSyscall{{Names: names, Action: action, ErrnoRet: ret}},
	}
}

// cwd calls getcwd with an impossible buffer: ERANGE without a filter.
var cwd = [7]uint64{unix.SYS_GETCWD}

func TestKernelErrno(t *testing.T) {
	tests := []struct {
		name    string
		profile *specs.LinuxSeccomp
		want    unix.Errno
	}{
		{"not named", allowing(specs.ActErrno, nil, "mkdirat"), unix.ERANGE},
		{"default errno", allowing(specs.ActErrno, nil, "getcwd"), unix.EPERM},
		{"errnoRet", allowing(specs.ActErrno, new(uint(100)), "getcwd"), unix.ENETDOWN},
		{"errno 0", allowing(specs.ActErrno, new(uint(0)), "getcwd"), 0},
		{"log", allowing(specs.ActLog, nil, "getcwd"), unix.ERANGE},
		{"trace without tracer", allowing(specs.ActTrace, new(uint(7)), "getcwd"), unix.ENOSYS},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := try(t, test.profile, cwd)[0].Errno; got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// TestKernelEngineProfile runs the calls of a large profile with a default of
// EPERM on the kernel.
func TestKernelEngineProfile(t *testing.T) {
	if seccomp.NativeArch() != specs.ArchX86_64 {
		t.Skip("needs an x86-64 machine")
	}
	const none = ^uint64(0)
	tests := []struct {
		name string
		call [7]uint64
		want unix.Errno
	}{
		{"allowed", [7]uint64{unix.SYS_CLOSE, none}, unix.EBADF},
		{"denied", [7]uint64{unix.SYS_MOUNT}, unix.EPERM},
		{"denied by a rule", [7]uint64{unix.SYS_CLONE3}, unix.ENOSYS},
		{"denied argument", [7]uint64{unix.SYS_CLONE, unix.CLONE_NEWUSER}, unix.EPERM},
		{"denied family", [7]uint64{unix.SYS_SOCKET, unix.AF_VSOCK}, unix.EPERM},
		{"allowed argument", [7]uint64{unix.SYS_SOCKET, unix.AF_UNIX, 0xff}, unix.EINVAL},
		{"allowed value", [7]uint64{unix.SYS_PERSONALITY, 0xffffffff}, 0},
		{"denied value", [7]uint64{unix.SYS_PERSONALITY, 1}, unix.EPERM},
		{"a call of the future", [7]uint64{10000}, unix.ENOSYS},
		{"an x32 call of the future", [7]uint64{1<<30 + 10000}, unix.ENOSYS},
	}
	calls := make([][7]uint64, len(tests))
	for i := range tests {
		calls[i] = tests[i].call
	}
	results := try(t, readProfile(t, "engine.json"), calls...)
	for i, test := range tests {
		if got := results[i].Errno; got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

// TestKernelHalves: a 64-bit comparison sees both halves of an argument.
func TestKernelHalves(t *testing.T) {
	const value = 0x00000001_00000005
	tests := []struct {
		op                           specs.LinuxSeccompOperator
		equal, low, highOnly, larger bool // whether they match
	}{
		{specs.OpEqualTo, true, false, false, false},
		{specs.OpNotEqual, false, true, true, true},
		{specs.OpLessThan, false, true, true, false},
		{specs.OpLessEqual, true, true, true, false},
		{specs.OpGreaterThan, false, false, false, true},
		{specs.OpGreaterEqual, true, false, false, true},
	}
	for _, test := range tests {
		t.Run(string(test.op), func(t *testing.T) {
			p := allowing(specs.ActErrno, new(uint(unix.ENOENT)), "getcwd")
			p.Syscalls[0].Args = []specs.LinuxSeccompArg{{Index: 2, Value: value, Op: test.op}}
			var calls [][7]uint64
			for _, third := range []uint64{value, 5, 1 << 32, 0x00000002_00000000} {
				calls = append(calls, [7]uint64{unix.SYS_GETCWD, 0, 0, third})
			}
			results := try(t, p, calls...)
			for i, match := range []bool{test.equal, test.low, test.highOnly, test.larger} {
				want := unix.ERANGE
				if match {
					want = unix.ENOENT
				}
				if got := results[i].Errno; got != want {
					t.Errorf("%#x: got %v, want %v", calls[i][3], got, want)
				}
			}
		})
	}
}

// TestKernelKill executes a program of one thread, as a container does.
func TestKernelKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	tests := []struct {
		name   string
		action specs.LinuxSeccompAction
	}{
		{"kill", specs.ActKill},
		{"kill thread", specs.ActKillThread},
		{"kill process", specs.ActKillProcess},
		{"trap", specs.ActTrap},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := allowing(test.action, nil, "mkdir", "mkdirat")
			_, output, err := runChild(t, order{Filter: mustLoad(t, p), Exec: []string{"/bin/mkdir", dir}})
			if got := killedBy(err); got != unix.SIGSYS {
				t.Errorf("got %v (%v: %s), want %v", got, err, output, unix.SIGSYS)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("the directory was made")
			}
		})
	}
}

// TestKernelExec: a dynamic program runs under a large profile, one that denies
// getcwd, and a default of killing.
func TestKernelExec(t *testing.T) {
	killing := readProfile(t, "engine.json")
	killing.DefaultAction = specs.ActKillProcess
	tests := []struct {
		name    string
		profile *specs.LinuxSeccomp
	}{
		{"large", readProfile(t, "engine.json")},
		{"no getcwd", allowing(specs.ActErrno, nil, "getcwd")},
		{"killing by default", killing},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, output, err := runChild(t, order{Filter: mustLoad(t, test.profile), Exec: []string{"/bin/echo", "hello"}})
			if err != nil || output != "hello\n" {
				t.Errorf("got %q, %v", output, err)
			}
		})
	}
}

// TestKernelFlags: every flag that is said to be supported is, and a listener
// comes back where one is wanted.
func TestKernelFlags(t *testing.T) {
	for _, name := range SupportedFlags() {
		t.Run(name, func(t *testing.T) {
			p := allowing(specs.ActNotify, nil, "getcwd")
			p.Flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlag(name)}
			filter := mustLoad(t, p)
			if !filter.Notify || filter.Flags&unix.SECCOMP_FILTER_FLAG_NEW_LISTENER == 0 {
				t.Errorf("got Notify %v, Flags %#x", filter.Notify, filter.Flags)
			}
			closeFd := [7]uint64{unix.SYS_FCNTL, ^uint64(0), unix.F_GETFD}
			if _, output, err := runChild(t, order{Filter: filter, Calls: [][7]uint64{closeFd}}); err != nil {
				t.Errorf("%v: %s", err, output)
			}
		})
	}
}

func TestSupportedFlags(t *testing.T) {
	got := SupportedFlags()
	want := seccomp.Flags()
	if KernelFlags()&unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV == 0 {
		t.Log("this kernel has no SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (Linux 5.19)")
		want = slices.DeleteFunc(want, func(name string) bool { return strings.HasSuffix(name, "KILLABLE_RECV") })
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if unknown := probeFlags(1 << 30); unknown != unix.EINVAL {
		t.Errorf("an unknown flag: got %v, want EINVAL", unknown)
	}
}

func TestUnsupportedFlag(t *testing.T) {
	p := allowing(specs.ActNotify, nil, "getcwd")
	p.Flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv}
	const future = 1 << 30
	_, err := withoutUnknown(p, seccomp.FilterFlags(p)|future)
	unsupported, ok := errors.AsType[*UnsupportedError](err)
	if !ok || unsupported.Feature != "0x40000000" || !oneLine(err) {
		t.Fatalf("got %v", err)
	}
	err = &UnsupportedError{"linux.seccomp.flags", seccomp.FlagName(32), since(32)}
	want := "config.json: linux.seccomp.flags: this kernel has no SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV [since Linux 5.19]"
	if err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
