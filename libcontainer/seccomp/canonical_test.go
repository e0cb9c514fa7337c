package seccomp

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer/seccomp/internal/filtertest"
)

// decode reads a canonical profile back.
func decode(t testing.TB, canonical []byte) Document {
	t.Helper()
	var doc Document
	if err := json.Unmarshal(canonical, &doc); err != nil {
		t.Fatalf("%v in %s", err, canonical)
	}
	return doc
}

func TestCanonicalText(t *testing.T) {
	p := profile(func(p *specs.LinuxSeccomp) {
		p.Architectures = []specs.Arch{specs.ArchSH, NativeArch(), specs.ArchM68K, specs.ArchSH}
		p.ListenerPath, p.ListenerMetadata = "/run/agent.sock", "secret"
		p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{Names: []string{"a\"\n\\é\xff"}, Action: specs.ActErrno})
	})
	want := `{"format":1,"native":"NATIVE","unknownNames":"skip","seccomp":{` +
		`"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,` +
		`"architectures":["NATIVE","SCMP_ARCH_M68K","SCMP_ARCH_SH"],"flags":["SECCOMP_FILTER_FLAG_SPEC_ALLOW"],` +
		`"syscalls":[{"names":["read","close"],"action":"SCMP_ACT_ALLOW",` +
		`"args":[{"index":5,"value":1,"valueTwo":0,"op":"SCMP_CMP_EQ"}]},` +
		`{"names":["a\u0022\u000a\u005cé` + "\uFFFD" + `"],"action":"SCMP_ACT_ERRNO","errnoRet":1}]}}`
	want = strings.ReplaceAll(want, "NATIVE", string(NativeArch()))
	if got := string(Canonical(p, SkipUnknownNames)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestKeysThatAgree has pairs that mean the same filter.
func TestKeysThatAgree(t *testing.T) {
	ret := func(n uint) *uint { return &n }
	tests := []struct {
		name   string
		change func(*specs.LinuxSeccomp)
	}{
		{"errno written out", func(p *specs.LinuxSeccomp) { p.DefaultErrnoRet = ret(1) }},
		{"flag written out", func(p *specs.LinuxSeccomp) {
			p.Flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagSpecAllow}
		}},
		{"architectures in another order", func(p *specs.LinuxSeccomp) { slices.Reverse(p.Architectures) }},
		{"native architecture named", func(p *specs.LinuxSeccomp) { p.Architectures = append(p.Architectures, NativeArch()) }},
		{"a listener", func(p *specs.LinuxSeccomp) { p.ListenerPath, p.ListenerMetadata = "/x", "y" }},
		{"empty instead of nil", func(p *specs.LinuxSeccomp) { p.Syscalls[1].Args = []specs.LinuxSeccompArg{} }},
	}
	plain := profile(addRule)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			changed := profile(addRule)
			test.change(changed)
			if Key(plain) != Key(changed) {
				t.Errorf("different keys for\n%s\n%s", Canonical(plain, SkipUnknownNames), Canonical(changed, SkipUnknownNames))
			}
		})
	}
}

// TestKeysThatDiffer has profiles that all mean different filters, or are
// faulty.
func TestKeysThatDiffer(t *testing.T) {
	ret := func(n uint) *uint { return &n }
	changes := map[string]func(*specs.LinuxSeccomp){
		"unchanged":          func(*specs.LinuxSeccomp) {},
		"default action":     func(p *specs.LinuxSeccomp) { p.DefaultAction = specs.ActTrap },
		"default errno":      func(p *specs.LinuxSeccomp) { p.DefaultErrnoRet = ret(38) },
		"faulty errno":       func(p *specs.LinuxSeccomp) { p.DefaultAction, p.DefaultErrnoRet = specs.ActTrap, ret(1) },
		"architecture":       func(p *specs.LinuxSeccomp) { p.Architectures = append(p.Architectures, specs.ArchSH) },
		"faulty arch":        func(p *specs.LinuxSeccomp) { p.Architectures = append(p.Architectures, "x") },
		"no flags":           func(p *specs.LinuxSeccomp) { p.Flags = []specs.LinuxSeccompFlag{} },
		"TSYNC":              func(p *specs.LinuxSeccomp) { p.Flags = []specs.LinuxSeccompFlag{flagTsync} },
		"no rules":           func(p *specs.LinuxSeccomp) { p.Syscalls = nil },
		"name":               func(p *specs.LinuxSeccomp) { p.Syscalls[0].Names[0] = "write" },
		"names in one":       func(p *specs.LinuxSeccomp) { p.Syscalls[0].Names = []string{"read,close"} },
		"names that pretend": func(p *specs.LinuxSeccomp) { p.Syscalls[0].Names = []string{`read","close`} },
		"rule order":         func(p *specs.LinuxSeccomp) { slices.Reverse(p.Syscalls) },
		"rule errno":         func(p *specs.LinuxSeccomp) { p.Syscalls[1].ErrnoRet = ret(2) },
		"rule action":        func(p *specs.LinuxSeccomp) { p.Syscalls[0].Action = specs.ActLog },
		"index":              func(p *specs.LinuxSeccomp) { p.Syscalls[0].Args[0].Index = 1 },
		"op":                 func(p *specs.LinuxSeccomp) { p.Syscalls[0].Args[0].Op = specs.OpNotEqual },
		"value":              func(p *specs.LinuxSeccomp) { p.Syscalls[0].Args[0].Value = 1 << 63 },
		"second value":       func(p *specs.LinuxSeccomp) { p.Syscalls[0].Args[0].ValueTwo = 1 },
		"no condition":       func(p *specs.LinuxSeccomp) { p.Syscalls[0].Args = nil },
	}
	keys := map[string]string{KeyOf(Canonical(profile(addRule), FailUnknownNames)): "unknown names fail"}
	for name, change := range changes {
		p := profile(addRule)
		change(p)
		key := Key(p)
		if other, taken := keys[key]; taken {
			t.Errorf("%q and %q have the same key", name, other)
		}
		if len(key) != 64 {
			t.Errorf("%q: the key has %d characters", name, len(key))
		}
		keys[key] = name
	}
}

// addRule adds a second rule to profile's one.
func addRule(p *specs.LinuxSeccomp) {
	p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{Names: []string{"mkdir"}, Action: specs.ActErrno, ErrnoRet: new(uint(3))})
}

func TestCanonicalKeepsEmptyFlags(t *testing.T) {
	p := profile(func(p *specs.LinuxSeccomp) { p.Flags = []specs.LinuxSeccompFlag{} })
	if got := decode(t, Canonical(p, SkipUnknownNames)).Seccomp; got.Flags == nil {
		t.Error("an empty list of flags came back as nil, which means the default")
	}
}

// FuzzCanonical: what is written is JSON, decodes to a profile with the same
// canonical form, and has the faults that the profile has.
func FuzzCanonical(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x02\x01\x02\x01\x00\x01\x01\x02\x00\x03\x01\x05\x02\x00\x09"))
	f.Add([]byte(strings.Repeat("\x01\x01\x03\x0e\x0f\x10\x02\x03\x04", 20)))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := filtertest.Profile(data)
		first := Canonical(p, FailUnknownNames)
		again := decode(t, first).Seccomp
		if second := Canonical(again, FailUnknownNames); string(first) != string(second) {
			t.Fatalf("not stable:\n%s\n%s", first, second)
		}
		if one, two := Check(p), Check(again); (one == nil) != (two == nil) {
			t.Fatalf("the profile has fault %v, its canonical form %v", one, two)
		}
		if FilterFlags(p) != FilterFlags(again) || WantsENOSYS(p) != WantsENOSYS(again) {
			t.Fatalf("the canonical form means something else: %s", first)
		}
	})
}

// TestCanonicalOfEngineProfile: nothing that shapes the filter is lost.
func TestCanonicalOfEngineProfile(t *testing.T) {
	for _, name := range []string{"engine.json", "rules.json"} {
		p := readProfile(t, name)
		again := decode(t, Canonical(p, SkipUnknownNames)).Seccomp
		for i := range p.Syscalls {
			want, got := p.Syscalls[i], again.Syscalls[i]
			if ReturnValue(want.Action, want.ErrnoRet) != ReturnValue(got.Action, got.ErrnoRet) ||
				!slices.Equal(want.Names, got.Names) || !slices.Equal(want.Args, got.Args) {
				t.Errorf("%s, rule %d: got %+v, want %+v", name, i, got, want)
			}
		}
	}
}

// readProfile reads a profile from testdata.
func readProfile(t testing.TB, name string) *specs.LinuxSeccomp {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	p := new(specs.LinuxSeccomp)
	if err := json.Unmarshal(data, p); err != nil {
		t.Fatal(err)
	}
	return p
}

func BenchmarkKey(b *testing.B) {
	p := readProfile(b, "engine.json")
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			_ = Check(p)
		}
	})
	b.Run("key", func(b *testing.B) {
		for b.Loop() {
			_ = Key(p)
		}
	})
}
