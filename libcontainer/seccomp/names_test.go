package seccomp

import (
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestListsAreSortedAndKnown(t *testing.T) {
	tests := []struct {
		name  string
		list  []string
		count int // in the specification's table
		known func(string) bool
	}{
		{"actions", Actions(), 9, func(s string) bool { _, ok := actionBase(specs.LinuxSeccompAction(s)); return ok }},
		{"operators", Operators(), 7, func(s string) bool { return knownOperator(specs.LinuxSeccompOperator(s)) }},
		{"flags", Flags(), 4, func(s string) bool { _, ok := flagBit(specs.LinuxSeccompFlag(s)); return ok }},
		{"architectures", Archs(), 23, func(s string) bool { _, ok := auditArch(specs.Arch(s)); return ok }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := len(slices.Compact(slices.Clone(test.list))); got != test.count {
				t.Errorf("got %d names, want %d", got, test.count)
			}
			if !slices.IsSorted(test.list) {
				t.Errorf("not sorted: %v", test.list)
			}
			for _, name := range test.list {
				if !test.known(name) {
					t.Errorf("%s is listed but not known", name)
				}
			}
			if test.known("SCMP_NONSENSE") || test.known("") {
				t.Error("nonsense is known")
			}
		})
	}
}

func TestArchitecturesShareANumberOnlyForX32(t *testing.T) {
	seen := map[uint32]string{}
	for _, arch := range Archs() {
		audit, _ := auditArch(specs.Arch(arch))
		other, taken := seen[audit]
		if taken && !(other == "SCMP_ARCH_X32" && arch == "SCMP_ARCH_X86_64") {
			t.Errorf("%s and %s are both %#x", other, arch, audit)
		}
		seen[audit] = arch
	}
}

func TestFilterArchs(t *testing.T) {
	native := NativeArch()
	tests := []struct {
		name string
		in   []specs.Arch
		want []specs.Arch
	}{
		{"none", nil, []specs.Arch{native}},
		{"only the native one", []specs.Arch{native}, []specs.Arch{native}},
		{"others", []specs.Arch{specs.ArchSH, specs.ArchM68K}, []specs.Arch{native, specs.ArchM68K, specs.ArchSH}},
		{"repeated", []specs.Arch{specs.ArchSH, native, specs.ArchSH, native}, []specs.Arch{native, specs.ArchSH}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := FilterArchs(&specs.LinuxSeccomp{Architectures: test.in})
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestFilterFlags(t *testing.T) {
	flags := func(names ...specs.LinuxSeccompFlag) []specs.LinuxSeccompFlag { return names }
	notify := []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: specs.ActNotify}}
	tests := []struct {
		name    string
		profile specs.LinuxSeccomp
		want    uint32
	}{
		{"default", specs.LinuxSeccomp{}, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW},
		{"empty list, not nil", specs.LinuxSeccomp{Flags: []specs.LinuxSeccompFlag{}}, 0},
		{"TSYNC", specs.LinuxSeccomp{Flags: flags(flagTsync)}, 0},
		{"LOG", specs.LinuxSeccomp{Flags: flags(specs.LinuxSeccompFlagLog)}, 2},
		{"all", specs.LinuxSeccomp{Syscalls: notify, Flags: flags(flagTsync, specs.LinuxSeccompFlagLog,
			specs.LinuxSeccompFlagSpecAllow, specs.LinuxSeccompFlagWaitKillableRecv)}, 2 | 4 | 8 | 32},
		{"notify", specs.LinuxSeccomp{Syscalls: notify}, 4 | 8},
		{"notify, killable", specs.LinuxSeccomp{Syscalls: notify,
			Flags: flags(specs.LinuxSeccompFlagWaitKillableRecv)}, 8 | 32},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.profile.DefaultAction = specs.ActAllow
			if got := FilterFlags(&test.profile); got != test.want {
				t.Errorf("got %#x, want %#x", got, test.want)
			}
		})
	}
}

func TestFlagName(t *testing.T) {
	tests := []struct {
		bit  uint32
		want string
	}{
		{2, "SECCOMP_FILTER_FLAG_LOG"},
		{4, "SECCOMP_FILTER_FLAG_SPEC_ALLOW"},
		{8, "SECCOMP_FILTER_FLAG_NEW_LISTENER"},
		{32, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"},
		{1 << 20, "0x100000"},
	}
	for _, test := range tests {
		t.Run(test.want, func(t *testing.T) {
			if got := FlagName(test.bit); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestReturnValue(t *testing.T) {
	ret := func(n uint) *uint { return &n }
	tests := []struct {
		name   string
		action specs.LinuxSeccompAction
		errno  *uint
		want   uint32
	}{
		{"allow", specs.ActAllow, nil, 0x7fff0000},
		{"errno", specs.ActErrno, nil, 0x00050001},
		{"errno 100", specs.ActErrno, ret(100), 0x00050064},
		{"errno 0", specs.ActErrno, ret(0), 0x00050000},
		{"trace", specs.ActTrace, nil, 0x7ff00001},
		{"trace 65535", specs.ActTrace, ret(65535), 0x7ff0ffff},
		{"kill", specs.ActKill, nil, 0},
		{"kill thread", specs.ActKillThread, nil, 0},
		{"kill process", specs.ActKillProcess, nil, 0x80000000},
		{"trap", specs.ActTrap, nil, 0x00030000},
		{"log", specs.ActLog, nil, 0x7ffc0000},
		{"notify", specs.ActNotify, nil, 0x7fc00000},
		{"unknown kills", "SCMP_ACT_DANCE", nil, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := ReturnValue(test.action, test.errno); got != test.want {
				t.Errorf("got %#x, want %#x", got, test.want)
			}
		})
	}
}

func TestArchsOf(t *testing.T) {
	for version, want := range map[string]int{"2.5.4": 19, "2.6.0": 23, "2.10.1": 23, "3.0.0": 23, "": 19} {
		if got := ArchsOf(version); len(got) != want {
			t.Errorf("%q: got %d, want %d", version, len(got), want)
		}
	}
}
