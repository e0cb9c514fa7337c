package seccomp

import (
	"errors"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// profile is a sound profile with one rule, changed.
func profile(change func(*specs.LinuxSeccomp)) *specs.LinuxSeccomp {
	p := &specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno,
		Architectures: []specs.Arch{specs.ArchX86_64, specs.ArchX86},
		Syscalls: []specs.LinuxSyscall{{
			Names:  []string{"read", "close"},
			Action: specs.ActAllow,
			Args:   []specs.LinuxSeccompArg{{Index: 5, Op: specs.OpEqualTo, Value: 1}},
		}},
	}
	change(p)
	return p
}

func TestCheck(t *testing.T) {
	ret := func(n uint) *uint { return &n }
	rule := func(change func(*specs.LinuxSyscall)) func(*specs.LinuxSeccomp) {
		return func(p *specs.LinuxSeccomp) { change(&p.Syscalls[0]) }
	}
	tests := []struct {
		name   string
		change func(*specs.LinuxSeccomp)
		want   string // "field: reason", "" for none
	}{
		{"sound", func(*specs.LinuxSeccomp) {}, ""},
		{"no profile", func(p *specs.LinuxSeccomp) { *p = specs.LinuxSeccomp{Flags: []specs.LinuxSeccompFlag{"X"}} }, ""},
		{"listener alone", func(p *specs.LinuxSeccomp) { p.ListenerPath = "/run/agent.sock" }, ""},
		{"no default", func(p *specs.LinuxSeccomp) { p.DefaultAction = "" }, `defaultAction: unknown action ""`},
		{"unknown default", func(p *specs.LinuxSeccomp) { p.DefaultAction = "ALLOW" }, `defaultAction: unknown action "ALLOW"`},
		{"notify by default", func(p *specs.LinuxSeccomp) { p.DefaultAction = specs.ActNotify },
			"defaultAction: SCMP_ACT_NOTIFY cannot be used as default action"},
		{"errno by default", func(p *specs.LinuxSeccomp) { p.DefaultErrnoRet = ret(38) }, ""},
		{"errno for allow by default", func(p *specs.LinuxSeccomp) { p.DefaultAction, p.DefaultErrnoRet = specs.ActAllow, ret(1) },
			"defaultErrnoRet: SCMP_ACT_ALLOW takes no errno"},
		{"errno too large", func(p *specs.LinuxSeccomp) { p.DefaultErrnoRet = ret(4095) },
			"defaultErrnoRet: 4095 is more than 4094, the largest for SCMP_ACT_ERRNO"},
		{"unknown architecture", func(p *specs.LinuxSeccomp) { p.Architectures[1] = "x86" }, `architectures[1]: unknown architecture "x86"`},
		{"unknown flag", func(p *specs.LinuxSeccomp) { p.Flags = []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_X"} },
			`flags[0]: unknown flag "SECCOMP_FILTER_FLAG_X"`},
		{"killable without notify", func(p *specs.LinuxSeccomp) {
			p.Flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv}
		},
			"flags[0]: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs a rule with SCMP_ACT_NOTIFY"},
		{"killable with notify", func(p *specs.LinuxSeccomp) {
			p.Flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv}
			p.Syscalls[0].Action = specs.ActNotify
		}, ""},
		{"unknown action", rule(func(r *specs.LinuxSyscall) { r.Action = "SCMP_ACT_DANCE" }), `syscalls[0].action: unknown action "SCMP_ACT_DANCE"`},
		{"errno for kill", rule(func(r *specs.LinuxSyscall) { r.Action, r.ErrnoRet = specs.ActKill, ret(1) }),
			"syscalls[0].errnoRet: SCMP_ACT_KILL takes no errno"},
		{"trace 65535", rule(func(r *specs.LinuxSyscall) { r.Action, r.ErrnoRet = specs.ActTrace, ret(65535) }), ""},
		{"trace 65536", rule(func(r *specs.LinuxSyscall) { r.Action, r.ErrnoRet = specs.ActTrace, ret(65536) }),
			"syscalls[0].errnoRet: 65536 is more than 65535, the largest for SCMP_ACT_TRACE"},
		{"no names", rule(func(r *specs.LinuxSyscall) { r.Names = nil }), "syscalls[0].names: names no system call"},
		{"empty name", rule(func(r *specs.LinuxSyscall) { r.Names[1] = "" }), "syscalls[0].names[1]: is empty"},
		{"name with NUL", rule(func(r *specs.LinuxSyscall) { r.Names[1] = "read\x00x" }), `syscalls[0].names[1]: "read\x00x" holds a NUL byte`},
		{"unknown name", rule(func(r *specs.LinuxSyscall) { r.Names[1] = "frobnicate" }), ""},
		{"notify for write", rule(func(r *specs.LinuxSyscall) { r.Action, r.Names[1] = specs.ActNotify, "write" }),
			"syscalls[0].names[1]: SCMP_ACT_NOTIFY cannot be used for the write syscall"},
		{"seventh argument", rule(func(r *specs.LinuxSyscall) { r.Args[0].Index = 6 }),
			"syscalls[0].args[0].index: 6 is more than 5, a system call's last argument"},
		{"unknown operator", rule(func(r *specs.LinuxSyscall) { r.Args[0].Op = "SCMP_CMP_LIKE" }),
			`syscalls[0].args[0].op: unknown operator "SCMP_CMP_LIKE"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := Check(profile(test.change))
			if test.want == "" {
				if err != nil {
					t.Fatalf("got %q, want no error", err)
				}
				return
			}
			if _, ok := errors.AsType[*FieldError](err); !ok {
				t.Fatalf("got %v, want a *FieldError", err)
			}
			want := "config.json: linux.seccomp." + test.want + " (config-linux.md#seccomp)"
			if got := err.Error(); got != want || strings.Contains(got, "\n") {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestNilProfile(t *testing.T) {
	if Enabled(nil) || Notifies(nil) || Check(nil) != nil {
		t.Error("a nil profile is something")
	}
}
