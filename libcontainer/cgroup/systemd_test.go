package cgroup

import (
	"maps"
	"os"
	"strings"
	"testing"

	godbus "github.com/godbus/dbus/v5"
	"github.com/opencontainers/cgroups"
	devices "github.com/opencontainers/cgroups/devices/config"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestParseUnit(t *testing.T) {
	tests := []struct {
		name, asked string
		want        Unit
		err         string
	}{
		{name: "none", want: Unit{Prefix: "davit", Name: "c1"}},
		{name: "docker", asked: "system.slice:docker:1234", want: Unit{"system.slice", "docker", "1234"}},
		{name: "no slice", asked: ":crio:1234", want: Unit{"", "crio", "1234"}},
		{name: "a slice itself", asked: "kubepods.slice:x:kubepods-pod1.slice", want: Unit{"kubepods.slice", "x", "kubepods-pod1.slice"}},
		{name: "a path", asked: "/a/b", err: `linux.cgroupsPath "/a/b" must be "slice:prefix:name" for the systemd cgroup driver`},
		{name: "four parts", asked: "a:b:c:d", err: `linux.cgroupsPath "a:b:c:d" must be "slice:prefix:name" for the systemd cgroup driver`},
		{name: "no name", asked: "a.slice:b:", err: `linux.cgroupsPath "a.slice:b:" does not name a systemd unit`},
		{name: "out", asked: "a.slice:b:../../c", err: `linux.cgroupsPath "a.slice:b:../../c" does not name a systemd unit`},
		{name: "bad slice", asked: "a--b.slice:c:d", err: `linux.cgroupsPath "a--b.slice:c:d": invalid slice name: a--b.slice`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseUnit(test.asked, "c1")
			if got != test.want || errText(err) != test.err {
				t.Errorf("got %+v, %v; want %+v, %s", got, err, test.want, test.err)
			}
		})
	}
}

func TestUnitPaths(t *testing.T) {
	unified := cgroups.IsCgroup2UnifiedMode()
	tests := []struct {
		name string
		unit Unit
		want string // below the mount point of each hierarchy
	}{
		{"default", Unit{"", "davit", "c1"}, "/system.slice/davit-c1.scope"},
		{"slice", Unit{"machine.slice", "libpod", "c1"}, "/machine.slice/libpod-c1.scope"},
		{"nested slice", Unit{"kubepods-besteffort-pod1.slice", "cri", "c1"}, "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1.slice/cri-c1.scope"},
		{"root slice", Unit{"-.slice", "cri", "c1"}, "/cri-c1.scope"},
		{"a slice itself", Unit{"system.slice", "", "x.slice"}, "/system.slice/x.slice"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			paths, err := unitPaths(Saved{Driver: Systemd, Unified: unified, Unit: test.unit})
			if err != nil {
				if _, stat := os.Stat(mountpoint + "/devices"); stat != nil && !unified {
					t.Skip("this machine has no cgroup hierarchy mounted")
				}
				t.Fatal(err)
			}
			for name, path := range paths {
				if !strings.HasSuffix(path, test.want) {
					t.Errorf("hierarchy %q: got %s, want it to end in %s", name, path, test.want)
				}
			}
		})
	}
}

func TestNoSystemd(t *testing.T) {
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		t.Skip("systemd is PID 1 here")
	}
	_, err := New(Options{ID: "c1", Driver: Systemd, Spec: &specs.Spec{Linux: &specs.Linux{CgroupsPath: "system.slice:docker:1234"}}})
	const want = "the systemd cgroup driver needs systemd as PID 1, and /run/systemd/system is not there"
	if errText(err) != want {
		t.Errorf("got error %v, want %s", err, want)
	}
	// What another boot has left is deleted all the same.
	m, err := Open(Saved{Driver: Systemd, Unified: true, Unit: Unit{Name: "c1"}, Paths: map[string]string{"": mountpoint + "/davit-test-not-there"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Delete(); err != nil {
		t.Error(err)
	}
	if err := m.Attach(1); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want %s", err, want)
	}
}

func TestUnitProperties(t *testing.T) {
	tests := []struct {
		name, key, value string
		want             string // "Name value"
		err              string
	}{
		{name: "string", key: "org.systemd.property.CollectMode", value: "'inactive-or-failed'", want: `CollectMode "inactive-or-failed"`},
		{name: "number", key: "org.systemd.property.TimeoutStopUSec", value: "uint64 123456789", want: "TimeoutStopUSec @t 123456789"},
		{name: "seconds", key: "org.systemd.property.TimeoutStopSec", value: "uint64 12", want: "TimeoutStopUSec @t 12000000"},
		{name: "part of a second", key: "org.systemd.property.TimeoutStopSec", value: "0.5", want: "TimeoutStopUSec @t 500000"},
		{name: "already micro", key: "org.systemd.property.RuntimeMaxUSec", value: "uint64 3", want: "RuntimeMaxUSec @t 3"},
		{name: "subgroup", key: "run.oci.systemd.subgroup", value: "sub", err: "annotation run.oci.systemd.subgroup=sub: not supported: the container is in the scope's own cgroup"},
		{name: "no subgroup", key: "run.oci.systemd.subgroup", value: ""},
		{name: "other annotation", key: "com.example", value: "x"},
		{name: "short name", key: "org.systemd.property.Ab", value: "1", err: `annotation org.systemd.property.Ab=1: "Ab" cannot be the name of a property`},
		{name: "odd name", key: "org.systemd.property.Dev;ice", value: "1", err: `annotation org.systemd.property.Dev;ice=1: "Dev;ice" cannot be the name of a property`},
		{name: "no seconds", key: "org.systemd.property.TimeoutStopSec", value: "'x'", err: "annotation org.systemd.property.TimeoutStopSec='x': a number of seconds is needed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			list, err := unitProperties(map[string]string{test.key: test.value})
			got := ""
			for _, p := range list {
				got += p.Name + " " + p.Value.String()
			}
			if got != test.want || errText(err) != test.err {
				t.Errorf("got %s, %v; want %s, %s", got, err, test.want, test.err)
			}
		})
	}
	if _, err := unitProperties(map[string]string{"org.systemd.property.Slice": "'a"}); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("got error %v", err)
	}
}

func TestDeviceAllow(t *testing.T) {
	rule := func(kind devices.Type, major, minor int64, access devices.Permissions, allow bool) *devices.Rule {
		return &devices.Rule{Type: kind, Major: major, Minor: minor, Permissions: access, Allow: allow}
	}
	tests := []struct {
		name     string
		rules    []*devices.Rule
		want     map[string]string
		complete bool
	}{
		{"some", []*devices.Rule{rule('c', 1, 3, "rwm", true), rule('b', 8, -1, "r", true), rule('c', -1, -1, "m", true)},
			map[string]string{"/dev/char/1:3": "rwm", "block-8": "r", "char-*": "m"}, true},
		{"any major", []*devices.Rule{rule('c', -1, 3, "rw", true)}, nil, false},
		{"denials", []*devices.Rule{rule('a', -1, -1, "rwm", true), rule('c', 1, 3, "w", false)}, nil, false},
		{"everything", []*devices.Rule{rule('a', -1, -1, "rwm", true)}, nil, true},
		{"nothing", nil, nil, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p, err := newDevicePolicy(test.rules)
			if err != nil {
				t.Fatal(err)
			}
			list, complete := p.deviceAllow()
			got := map[string]string{}
			for _, d := range list {
				got[d.Path] = d.Permissions
			}
			if !maps.Equal(got, test.want) || complete != test.complete {
				t.Errorf("got %v, %v; want %v, %v", got, complete, test.want, test.complete)
			}
		})
	}
}

func TestDeviceProperties(t *testing.T) {
	list, err := deviceProperties(&cgroups.Resources{Devices: []*devices.Rule{{Type: 'c', Major: 1, Minor: 3, Permissions: "rw", Allow: true}}}, 252)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 || list[1].Value.String() != `"strict"` || list[2].Value.Signature() != godbus.ParseSignatureMust("a(ss)") {
		t.Errorf("got %v", list)
	}
	if list, err := deviceProperties(&cgroups.Resources{SkipDevices: true}, 252); list != nil || err != nil {
		t.Errorf("got %v, %v", list, err)
	}
}
