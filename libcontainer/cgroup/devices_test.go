package cgroup

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/cgroups"
	devices "github.com/opencontainers/cgroups/devices/config"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// attempt is something that the helper does with a device.
type attempt struct {
	Mknod        bool
	Block        bool
	Major, Minor uint32
	Flags        int
}

func TestKernelDevices(t *testing.T) {
	needView(t)
	all := func(allow bool) specs.LinuxDeviceCgroup { return specs.LinuxDeviceCgroup{Allow: allow, Access: "rwm"} }
	char := func(allow bool, major, minor int64, access string) specs.LinuxDeviceCgroup {
		return specs.LinuxDeviceCgroup{Allow: allow, Type: "c", Major: &major, Minor: &minor, Access: access}
	}
	tests := []struct {
		name  string
		rules []specs.LinuxDeviceCgroup
		do    attempt
		want  string // errno, or ""
	}{
		{"null is allowed", nil, attempt{Major: 1, Minor: 3, Flags: unix.O_RDWR}, ""},
		{"zero is allowed after denying all", []specs.LinuxDeviceCgroup{all(false)}, attempt{Major: 1, Minor: 5, Flags: unix.O_RDWR}, ""},
		{"kmsg is denied", nil, attempt{Major: 1, Minor: 11, Flags: unix.O_RDONLY}, "EPERM"},
		{"mknod is allowed", nil, attempt{Mknod: true, Major: 1, Minor: 11}, ""},
		{"mknod of block devices is allowed", nil, attempt{Mknod: true, Block: true, Major: 7, Minor: 200}, ""},
		{"a block device is denied", nil, attempt{Block: true, Major: 7, Minor: 0, Flags: unix.O_RDONLY}, "EPERM"},
		{"kmsg by a rule", []specs.LinuxDeviceCgroup{char(true, 1, 11, "r")}, attempt{Major: 1, Minor: 11, Flags: unix.O_RDONLY}, ""},
		{"kmsg for reading only", []specs.LinuxDeviceCgroup{char(true, 1, 11, "r")}, attempt{Major: 1, Minor: 11, Flags: unix.O_RDWR}, "EPERM"},
		{"a whole major", []specs.LinuxDeviceCgroup{char(true, 1, -1, "rw")}, attempt{Major: 1, Minor: 11, Flags: unix.O_RDWR}, ""},
		{"everything", []specs.LinuxDeviceCgroup{all(true)}, attempt{Major: 1, Minor: 11, Flags: unix.O_RDWR}, ""},
		{"everything but mknod", []specs.LinuxDeviceCgroup{all(true), char(false, 1, 11, "m")}, attempt{Mknod: true, Major: 1, Minor: 11}, "EPERM"},
		{"everything but writing", []specs.LinuxDeviceCgroup{all(true), char(false, 1, 11, "w")}, attempt{Major: 1, Minor: 11, Flags: unix.O_RDONLY}, ""},
		{"writing denied, read and write asked", []specs.LinuxDeviceCgroup{all(true), char(false, 1, 11, "w")}, attempt{Major: 1, Minor: 11, Flags: unix.O_RDWR}, "EPERM"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newManager(t, specWith(t, &specs.LinuxResources{Devices: test.rules}))
			if got := try(t, m, test.do); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// try lets a process in the cgroup of m do something with a device.
func try(t *testing.T, m *Manager, do attempt) string {
	t.Helper()
	node := filepath.Join(t.TempDir(), "node")
	if !do.Mknod {
		if err := unix.Mknod(node, do.mode(), int(unix.Mkdev(do.Major, do.Minor))); err != nil {
			t.Fatal(err)
		}
	}
	cmd := start(t, m, "/proc/self/exe", node)
	cmd.Env = append(cmd.Env, helperVar+"=devices")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	join(t, m, cmd)
	if err := m.Limit(); err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(do)
	fmt.Fprintf(in, "%s\n", text)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err, cmd.Wait())
	}
	return strings.TrimSpace(line)
}

func (a attempt) mode() uint32 {
	if a.Block {
		return unix.S_IFBLK | 0o600
	}
	return unix.S_IFCHR | 0o600
}

// helpDevices does one attempt and prints its errno.
func helpDevices() int {
	node := os.Args[1]
	var do attempt
	if err := json.NewDecoder(os.Stdin).Decode(&do); err != nil {
		return 1
	}
	var err error
	if do.Mknod {
		err = unix.Mknod(node, do.mode(), int(unix.Mkdev(do.Major, do.Minor)))
	} else {
		_, err = unix.Open(node, do.Flags|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	}
	if err != nil {
		fmt.Println(unix.ErrnoName(err.(unix.Errno)))
	} else {
		fmt.Println()
	}
	return 0
}

// A second filter takes the place of the first: in a cgroup that was there
// before, a device is not denied by what an earlier container was denied.
func TestKernelDevicesReplaced(t *testing.T) {
	needView(t)
	kmsg := []specs.LinuxDeviceCgroup{{Allow: true, Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(11)), Access: "r"}}
	spec := specWith(t, nil)
	first := newManager(t, spec)
	cmd := run(t, first, forever()...)
	if err := first.KillAll(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	spec.Linux.Resources = &specs.LinuxResources{Devices: kmsg}
	second := newManager(t, spec)
	if got := try(t, second, attempt{Major: 1, Minor: 11, Flags: unix.O_RDONLY}); got != "" {
		t.Errorf("got %q, want no error", got)
	}
	if !cgroups.IsCgroup2UnifiedMode() {
		return
	}
	dir, err := second.File()
	if err != nil {
		t.Fatal(err)
	}
	programs, err := attachedFilters(int(dir.Fd()))
	closeAll(programs)
	if err != nil || len(programs) != 1 {
		t.Errorf("got %d filters, %v; want 1", len(programs), err)
	}
}

// evaluate runs a device filter as the kernel would.
func evaluate(t testing.TB, code []instruction, kind, major, minor uint32, a access) bool {
	t.Helper()
	ctx := [3]uint32{uint32(a)<<16 | kind, major, minor}
	var r [8]uint32
	for pc, steps := 0, 0; pc < len(code); pc, steps = pc+1, steps+1 {
		i := code[pc]
		jump := false
		switch i.code {
		case opLoad:
			r[i.dst] = ctx[i.offset/4]
		case opMovImm:
			r[i.dst] = uint32(i.imm)
		case opMov:
			r[i.dst] = r[i.src]
		case opAndImm:
			r[i.dst] &= uint32(i.imm)
		case opOr:
			r[i.dst] |= r[i.src]
		case opShlImm:
			r[i.dst] <<= uint32(i.imm)
		case opShrImm:
			r[i.dst] >>= uint32(i.imm)
		case opJump:
			jump = true
		case opJeqImm:
			jump = r[i.dst] == uint32(i.imm)
		case opJneImm:
			jump = r[i.dst] != uint32(i.imm)
		case opJandIm:
			jump = r[i.dst]&uint32(i.imm) != 0
		case opExit:
			return r[regResult] == 1
		default:
			t.Fatalf("unknown instruction %+v", i)
		}
		if jump {
			pc += int(i.offset)
		}
	}
	t.Fatal("the program runs over its end")
	return false
}

// allowed says what the v1 controller's documentation says: with a default of
// denying, one exception must allow all that is asked; with a default of
// allowing, no exception may deny any of it.
func (p *devicePolicy) allowed(kind devices.Type, major, minor int64, a access) bool {
	for m, e := range p.exceptions {
		if m.kind != kind || m.major >= 0 && m.major != major || m.minor >= 0 && m.minor != minor {
			continue
		}
		if p.allow && e&a != 0 {
			return false
		}
		if !p.allow && e&a == a {
			return true
		}
	}
	return p.allow
}

// checkFilter compares the compiled filter with the policy, for the devices
// that the rules name and their neighbours.
func checkFilter(t testing.TB, rules []*devices.Rule) {
	t.Helper()
	p, err := newDevicePolicy(rules)
	if err != nil {
		return // a rule that is refused
	}
	code, err := p.compile()
	if err != nil {
		t.Fatal(err)
	}
	checkReachable(t, code)
	numbers := []int64{0, 1, 2, 3, 5, 136, 200, maxMajor, maxMinor}
	for _, r := range rules {
		numbers = append(numbers, r.Major, r.Minor, r.Major+1, r.Minor+1)
	}
	for kindNumber, kind := range map[uint32]devices.Type{1: devices.BlockDevice, 2: devices.CharDevice} {
		for _, major := range numbers {
			for _, minor := range numbers {
				if major < 0 || minor < 0 || major > maxMajor || minor > maxMinor {
					continue
				}
				for a := access(1); a <= accessAll; a++ {
					got := evaluate(t, code, kindNumber, uint32(major), uint32(minor), a)
					if want := p.allowed(kind, major, minor, a); got != want {
						t.Fatalf("%s of %c %d:%d: got %v, want %v, with %v", a, kind, major, minor, got, want, p.listed())
					}
				}
			}
		}
	}
}

// checkReachable fails if the verifier would refuse code as unreachable.
func checkReachable(t testing.TB, code []instruction) {
	t.Helper()
	reached := make([]bool, len(code))
	for todo := []int{0}; len(todo) > 0; {
		pc := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if pc >= len(code) || reached[pc] {
			continue
		}
		reached[pc] = true
		switch code[pc].code {
		case opExit:
		case opJump:
			todo = append(todo, pc+1+int(code[pc].offset))
		case opJeqImm, opJneImm, opJandIm:
			todo = append(todo, pc+1, pc+1+int(code[pc].offset))
		default:
			todo = append(todo, pc+1)
		}
	}
	if pc := slices.Index(reached, false); pc >= 0 {
		t.Fatalf("instruction %d of %d is not reached: %+v", pc, len(code), code)
	}
}

func TestFilter(t *testing.T) {
	rule := func(kind devices.Type, major, minor int64, access devices.Permissions, allow bool) *devices.Rule {
		return &devices.Rule{Type: kind, Major: major, Minor: minor, Permissions: access, Allow: allow}
	}
	defaults, err := deviceRules(nil)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		rules []*devices.Rule
	}{
		{"none", nil},
		{"default", defaults},
		{"all", []*devices.Rule{rule('a', -1, -1, "rwm", true)}},
		{"all character devices", []*devices.Rule{rule('c', -1, -1, "rwm", true), rule('c', 1, 3, "r", true), rule('c', 1, -1, "m", true)}},
		{"all but some", []*devices.Rule{rule('a', -1, -1, "rwm", true), rule('b', 8, -1, "w", false), rule('c', -1, 3, "rm", false), rule('c', 1, 3, "rwm", false)}},
		{"wild cards", []*devices.Rule{rule('c', -1, -1, "r", true), rule('b', -1, 3, "rwm", true), rule('b', 8, -1, "rw", true)}},
		{"numbers too large", []*devices.Rule{rule('c', 4096, 0, "rwm", true), rule('c', 0, 1<<20, "rwm", true), rule('b', 1<<33, 1<<40, "rwm", true)}},
		{"largest numbers", []*devices.Rule{rule('c', maxMajor, maxMinor, "rwm", true), rule('b', maxMajor, maxMinor, "r", true)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { checkFilter(t, test.rules) })
	}
}

// fuzzRules turns bytes into rules over few numbers, so that they meet.
func fuzzRules(data []byte) []*devices.Rule {
	numbers := []int64{-1, 0, 1, 3, 5, 136, 4095, 4096}
	letters := []devices.Permissions{"r", "w", "m", "rw", "rm", "wm", "rwm", "rwm"}
	var rules []*devices.Rule
	for ; len(data) >= 3; data = data[3:] {
		rules = append(rules, &devices.Rule{
			Type: []devices.Type{'c', 'b', 'c', 'b', 'c', 'b', 'c', 'a'}[data[0]&7], Allow: data[0]&8 != 0,
			Major: numbers[data[1]&7], Minor: numbers[data[1]>>3&7], Permissions: letters[data[2]&7],
		})
	}
	return rules
}

func FuzzFilter(f *testing.F) {
	f.Add([]byte{7, 0, 0, 8, 1, 2, 0, 1, 6})
	f.Add([]byte{15, 0, 0, 0, 0x19, 1, 1, 0x40, 7})
	f.Fuzz(func(t *testing.T, data []byte) { checkFilter(t, fuzzRules(data[:min(len(data), 60)])) })
}

func TestDevicePolicy(t *testing.T) {
	tests := []struct {
		name  string
		rules []specs.LinuxDeviceCgroup
		want  string
		err   string
	}{
		{name: "default", want: "c *:* m, b *:* m, c 1:3 rwm, c 1:8 rwm, c 1:7 rwm, c 5:0 rwm, c 1:5 rwm, c 1:9 rwm, c 136:* rwm, c 5:2 rwm, c 10:200 rwm"},
		{
			name: "listed order", want: "c 10:229 rwm, b 8:20 rw, c 1:3 rwm, c *:* m, b *:* m, c 1:8 rwm, c 1:7 rwm, c 5:0 rwm, c 1:5 rwm, c 1:9 rwm, c 136:* rwm, c 5:2 rwm, c 10:200 rwm",
			rules: []specs.LinuxDeviceCgroup{
				{Allow: true, Type: "c", Major: ptr(int64(7)), Minor: ptr(int64(7)), Access: "r"},
				{Access: "rwm"},
				{Allow: true, Type: "c", Major: ptr(int64(10)), Minor: ptr(int64(229)), Access: "rw"},
				{Allow: true, Type: "b", Major: ptr(int64(8)), Minor: ptr(int64(20)), Access: "rw"},
				{Allow: true, Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(3)), Access: "r"},
				{Allow: true, Type: "c", Major: ptr(int64(10)), Minor: ptr(int64(229)), Access: "m"},
			},
		},
		{name: "type", rules: []specs.LinuxDeviceCgroup{{Type: "p", Access: "r"}}, err: `linux.resources.devices[0]: the type "p" is none of a, b and c`},
		{name: "no access", rules: []specs.LinuxDeviceCgroup{{Type: "c"}}, err: "linux.resources.devices[0]: the access is empty"},
		{name: "access", rules: []specs.LinuxDeviceCgroup{{Type: "c", Access: "xyz"}}, err: `linux.resources.devices[0]: the access "xyz" has none of the letters r, w and m`},
		{
			name: "hole", err: "linux.resources.devices: the rule for c 1:11 w cannot be taken out of the one for c *:* rwm before it",
			rules: []specs.LinuxDeviceCgroup{{Allow: true, Type: "c", Access: "rwm"}, {Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(11)), Access: "w"}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := policyText(test.rules)
			if err != nil && err.Error() != test.err || err == nil && test.err != "" {
				t.Fatalf("got error %v, want %s", err, test.err)
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func policyText(rules []specs.LinuxDeviceCgroup) (string, error) {
	list, err := deviceRules(&specs.Spec{Linux: &specs.Linux{Resources: &specs.LinuxResources{Devices: rules}}})
	if err != nil {
		return "", err
	}
	p, err := newDevicePolicy(list)
	if err != nil {
		return "", err
	}
	var lines []string
	for _, e := range p.listed() {
		lines = append(lines, e.String())
	}
	return strings.Join(lines, ", "), nil
}

// A device that the configuration makes itself is no default device.
func TestRedefinedDevice(t *testing.T) {
	rules, err := deviceRules(&specs.Spec{Linux: &specs.Linux{Devices: []specs.LinuxDevice{{Path: "/dev/null"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		if r.Major == 1 && r.Minor == 3 {
			t.Errorf("got rule %+v", r)
		}
	}
}

func TestDeviceChanges(t *testing.T) {
	tests := []struct {
		name         string
		from, target string // lines of devices.list
		want         string
	}{
		{"from nothing shown", "a *:* rwm\n", "c 1:3 rwm\n", "deny a *:* rwm, allow c 1:3 rwm"},
		{"no change", "c 1:3 rwm\n", "c 1:3 rwm\n", ""},
		{"one more", "c 1:3 rwm\n", "c 1:3 rwm\nb 8:* r\n", "allow b 8:* r"},
		{"one less", "c 1:3 rwm\nc 1:5 rw\n", "c 1:3 rwm\n", "deny c 1:5 rw"},
		{"other access", "c 1:3 rm\n", "c 1:3 rw\n", "deny c 1:3 m, allow c 1:3 w"},
		{"to everything", "c 1:3 rwm\n", "a *:* rwm\n", "allow a *:* rwm"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			from, err := parseDevicePolicy(test.from)
			if err != nil {
				t.Fatal(err)
			}
			target, err := parseDevicePolicy(test.target)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range from.changes(target) {
				got = append(got, map[bool]string{true: "allow ", false: "deny "}[c.allow]+c.line)
			}
			if text := strings.Join(got, ", "); text != test.want {
				t.Errorf("got %s, want %s", text, test.want)
			}
		})
	}
}

func FuzzDevicesList(f *testing.F) {
	f.Add("a *:* rwm\n")
	f.Add("c 1:3 rwm\nb *:* m\nc 136:* r\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseDevicePolicy(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %q", err)
			}
			return
		}
		for _, e := range p.listed() {
			if again, err := parseException(e.String()); err != nil || again != e && e.access != 0 {
				t.Errorf("got %v, %v; want %v", again, err, e)
			}
		}
	})
}
