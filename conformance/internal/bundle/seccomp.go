package bundle

import (
	_ "embed"
	"runtime"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// allowedCalls are the system calls that the profile allows whatever their
// arguments: the kernel's, without those that change the machine, reach other
// processes, or make namespaces.
//
//go:embed seccomp.txt
var allowedCalls string

// Seccomp is a profile of the size and shape of Docker's default: some
// 350 names, rules on arguments, an errno for clone3, three architectures.
func Seccomp() *specs.LinuxSeccomp {
	profile := &specs.LinuxSeccomp{
		DefaultAction:   specs.ActErrno,
		DefaultErrnoRet: new(uint(unix.EPERM)),
		Architectures:   []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32},
		Syscalls: []specs.LinuxSyscall{
			{Names: strings.Fields(allowedCalls), Action: specs.ActAllow},
			{Names: []string{"clone3"}, Action: specs.ActErrno, ErrnoRet: new(uint(unix.ENOSYS))},
			onArgument("socket", specs.LinuxSeccompArg{Index: 0, Value: unix.AF_VSOCK, Op: specs.OpNotEqual}),
			onArgument("clone", specs.LinuxSeccompArg{Index: 0, Value: namespaceFlags, ValueTwo: 0, Op: specs.OpMaskedEqual}),
		},
	}
	for _, persona := range []uint64{0x0, 0x8, 0x20000, 0x20008, 0xffffffff} {
		rule := onArgument("personality", specs.LinuxSeccompArg{Index: 0, Value: persona, Op: specs.OpEqualTo})
		profile.Syscalls = append(profile.Syscalls, rule)
	}
	if runtime.GOARCH == "arm64" {
		profile.Architectures = []specs.Arch{specs.ArchAARCH64, specs.ArchARM}
	}
	return profile
}

// namespaceFlags are clone's flags for new namespaces.
const namespaceFlags = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER |
	unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP

// onArgument allows a call where an argument is right.
func onArgument(name string, arg specs.LinuxSeccompArg) specs.LinuxSyscall {
	return specs.LinuxSyscall{Names: []string{name}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{arg}}
}
