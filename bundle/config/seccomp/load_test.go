package seccomp

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const conditional = `{
 "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
 "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}, {"architecture": "SCMP_ARCH_AARCH64"}],
 "syscalls": [
  {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
  {"name": "write", "action": "SCMP_ACT_ALLOW"},
  {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
  {"names": ["new"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.0"}},
  {"names": ["old"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "4.8"}},
  {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
  {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390x"]}},
  {"names": ["arm"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm64"]}},
  {"names": ["notarm"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["arm64"]}}
 ]}`

func TestLoad(t *testing.T) {
	for _, tt := range []struct {
		name   string
		f      Facts
		want   string
		arches int
	}{
		{"amd64", Facts{Arch: "amd64", Kernel: [2]int{5, 14}}, "read write ptrace clone notarm", 2},
		{"arm64", Facts{Arch: "arm64", Kernel: [2]int{5, 14}}, "read write ptrace clone arm", 1},
		{"capability", Facts{Arch: "amd64", Kernel: [2]int{5, 14}, Bounding: []string{"CAP_SYS_ADMIN"}}, "read write ptrace mount notarm", 2},
		{"older kernel", Facts{Arch: "amd64", Kernel: [2]int{4, 7}}, "read write old clone notarm", 2},
		{"newer kernel", Facts{Arch: "amd64", Kernel: [2]int{6, 0}}, "read write ptrace new clone notarm", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Load([]byte(conditional), tt.f)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, r := range p.Syscalls {
				names = append(names, r.Names...)
			}
			if got := strings.Join(names, " "); got != tt.want || len(p.Architectures) != tt.arches || *p.DefaultErrnoRet != 38 {
				t.Errorf("got %s, %v, %d, want %s", got, p.Architectures, *p.DefaultErrnoRet, tt.want)
			}
		})
	}
}

// TestLoadOfTheDefault: a profile in the specification's form stays what it is.
func TestLoadOfTheDefault(t *testing.T) {
	want, err := json.Marshal(Default("amd64", nil))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Load(want, Facts{Arch: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := json.Marshal(p); string(got) != string(want) {
		t.Errorf("got %s", got)
	}
	if !slices.Contains(p.Architectures, specs.ArchX32) {
		t.Error("architectures are lost")
	}
}

func TestLoadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{`:  "JSON",
		`{}`: "defaultAction",
		`{"defaultAction": "x", "architectures": ["a"], "archMap": [{}]}`:             "both",
		`{"defaultAction": "x", "syscalls": [{"name": "a", "names": ["b"]}]}`:         "both",
		`{"defaultAction": "x", "syscalls": [{"includes": {"minKernel": "newest"}}]}`: "minKernel",
	} {
		if _, err := Load([]byte(text), Facts{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
