package seccomp

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// fact is a line of testdata/docker.txt.
type fact struct {
	name, arches, capabilities, arguments, outcome string
}

func facts(t *testing.T) []fact {
	t.Helper()
	data, err := os.ReadFile("testdata/docker.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []fact
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSpace(line), "; ")
		if len(f) != 5 {
			t.Fatalf("line %q", line)
		}
		all = append(all, fact{f[0], f[1], f[2], f[3], f[4]})
	}
	return all
}

// holds tells whether a list of a fact, "*", "a,b" or "!a,b", has one of the values.
func holds(list string, values ...string) bool {
	if list == "*" {
		return true
	}
	rest, not := strings.CutPrefix(list, "!")
	found := slices.ContainsFunc(strings.Split(rest, ","), func(x string) bool { return slices.Contains(values, x) })
	return found != not
}

// matches tells whether arguments meet a fact's condition.
func (f fact) matches(args [2]uint64) bool {
	if f.arguments == "*" {
		return true
	}
	index, _ := strconv.Atoi(f.arguments[:1])
	op := strings.TrimRight(f.arguments[1:], "0123456789")
	value := func(s string) uint64 { v, _ := strconv.ParseUint(s, 10, 64); return v }
	switch rest := f.arguments[1:]; {
	case op == "<":
		return args[index] < value(rest[1:])
	case op == ">":
		return args[index] > value(rest[1:])
	case op == "==":
		return args[index] == value(rest[2:])
	default: // "&MASK=VALUE"
		mask, want, _ := strings.Cut(rest[1:], "=")
		return args[index]&value(mask) == value(want)
	}
}

// byName are facts by the system call.
func byName(all []fact) map[string][]fact {
	m := map[string][]fact{}
	for _, f := range all {
		m[f.name] = append(m[f.name], f)
	}
	return m
}

// expected is what Docker's profile says to a call.
func expected(all map[string][]fact, arch string, caps []string, name string, args [2]uint64) string {
	outcome := "errno 1"
	for _, f := range all[name] {
		if !holds(f.arches, arch) || !holds(f.capabilities, caps...) || !f.matches(args) {
			continue
		}
		if f.outcome == "allow" {
			return "allow"
		}
		outcome = f.outcome
	}
	return outcome
}

// actual is what a profile says to a call. Where several rules match, the most
// lenient counts, as libseccomp has it for rules with arguments.
func actual(t *testing.T, p *specs.LinuxSeccomp, name string, args [2]uint64) string {
	t.Helper()
	outcome := fmt.Sprintf("errno %d", *p.DefaultErrnoRet)
	for _, rule := range p.Syscalls {
		if !slices.Contains(rule.Names, name) || !ruleMatches(t, rule, args) {
			continue
		}
		if rule.Action == specs.ActAllow {
			return "allow"
		}
		outcome = fmt.Sprintf("errno %d", *rule.ErrnoRet)
	}
	return outcome
}

func ruleMatches(t *testing.T, rule specs.LinuxSyscall, args [2]uint64) bool {
	t.Helper()
	for _, a := range rule.Args {
		v, ok := args[a.Index], false
		switch a.Op {
		case specs.OpLessThan:
			ok = v < a.Value
		case specs.OpGreaterThan:
			ok = v > a.Value
		case specs.OpEqualTo:
			ok = v == a.Value
		case specs.OpMaskedEqual:
			ok = v&a.Value == a.ValueTwo
		default:
			t.Fatalf("operator %s", a.Op)
		}
		if !ok {
			return false
		}
	}
	return true
}

// probes are arguments at the borders of every condition of either profile.
func probes() [][2]uint64 {
	values := []uint64{0, 1, 2, 7, 8, 9, 37, 38, 39, 40, 41, 0x1ffff, 0x20000, 0x20001, 0x20007, 0x20008, 0x20009, 0xfffffffe, 0xffffffff, 1 << 32}
	for bit := range 33 {
		values = append(values, 1<<bit)
	}
	var all [][2]uint64
	for _, v := range values {
		all = append(all, [2]uint64{v, 0}, [2]uint64{0, v})
	}
	return all
}

// TestIsDockers asks both profiles about every system call that either knows,
// with every capability that either names, on both architectures.
func TestIsDockers(t *testing.T) {
	all := facts(t)
	sets := [][]string{nil, {"CAP_CHOWN"}}
	known := map[string]bool{"io_uring_setup": true, "io_uring_enter": true, "io_uring_register": true, "userfaultfd": true, "keyctl": true}
	every := []string{}
	for _, f := range all {
		known[f.name] = true
		if c := strings.TrimPrefix(f.capabilities, "!"); c != "*" && !slices.Contains(every, c) {
			every = append(every, c)
			sets = append(sets, []string{c})
		}
	}
	for _, g := range granted {
		sets = append(sets, []string{g.capability})
	}
	sets = append(sets, every)
	for arch := range machines {
		for _, caps := range sets {
			compareProfiles(t, byName(all), known, arch, caps)
		}
	}
}

func compareProfiles(t *testing.T, all map[string][]fact, known map[string]bool, arch string, caps []string) {
	t.Helper()
	p := Default(arch, caps)
	rules := map[string]*specs.LinuxSeccomp{} // of one system call each
	for _, rule := range p.Syscalls {
		for _, name := range rule.Names {
			known[name] = true
			if rules[name] == nil {
				rules[name] = &specs.LinuxSeccomp{DefaultErrnoRet: p.DefaultErrnoRet}
			}
			rules[name].Syscalls = append(rules[name].Syscalls, specs.LinuxSyscall{Names: []string{name}, Action: rule.Action, ErrnoRet: rule.ErrnoRet, Args: rule.Args})
		}
	}
	for name := range known {
		p := rules[name]
		if p == nil {
			p = &specs.LinuxSeccomp{DefaultErrnoRet: errno(unix.EPERM)}
		}
		for _, args := range probes() {
			want, got := expected(all, arch, caps, name, args), actual(t, p, name, args)
			if got != want {
				t.Errorf("%s with %v: %s%#x: got %s, want %s", arch, caps, name, args, got, want)
				break
			}
		}
	}
}

func TestRefused(t *testing.T) {
	none := [2]uint64{}
	for _, tt := range []struct {
		call string
		args [2]uint64
		want string
	}{
		{"socket", [2]uint64{unix.AF_ALG}, "errno 1"},
		{"socket", [2]uint64{unix.AF_VSOCK}, "errno 1"},
		{"socket", [2]uint64{unix.AF_INET6}, "allow"},
		{"socketcall", none, "allow"},
		{"io_uring_setup", none, "errno 1"},
		{"io_uring_enter", none, "errno 1"},
		{"io_uring_register", none, "errno 1"},
		{"clone", [2]uint64{unix.CLONE_NEWUSER}, "errno 1"},
		{"clone3", none, "errno 38"},
		{"unshare", none, "errno 1"},
		{"mount", none, "errno 1"},
		{"bpf", none, "errno 1"},
		{"keyctl", none, "errno 1"},
	} {
		for arch := range machines {
			if got := actual(t, Default(arch, []string{"CAP_CHOWN", "CAP_MKNOD"}), tt.call, tt.args); got != tt.want {
				t.Errorf("%s: %s%#x: got %s, want %s", arch, tt.call, tt.args, got, tt.want)
			}
		}
	}
}

func TestArchitectures(t *testing.T) {
	for arch, want := range map[string][]specs.Arch{
		"amd64": {specs.ArchX86_64, specs.ArchX86, specs.ArchX32}, "arm64": {specs.ArchAARCH64, specs.ArchARM}, "mips": nil,
	} {
		if got := Default(arch, nil).Architectures; !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", arch, got, want)
		}
	}
}

func TestEachNameOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range names(always...) {
		if seen[name] {
			t.Errorf("%s is listed twice", name)
		}
		seen[name] = true
	}
}
