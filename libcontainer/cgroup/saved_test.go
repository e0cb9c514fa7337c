package cgroup

import (
	"encoding/json"
	"reflect"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestSaved(t *testing.T) {
	tests := []struct {
		name  string
		saved Saved
		want  string
	}{
		{"v2", Saved{Driver: Cgroupfs, Unified: true, Placed: true, Paths: map[string]string{"": "/sys/fs/cgroup/a/b"}},
			`{"driver":"cgroupfs","unified":true,"placed":true,"paths":{"":"/sys/fs/cgroup/a/b"}}`},
		{"v1", Saved{Driver: Cgroupfs, Rootless: true, Paths: map[string]string{"pids": "/p/a", "cpu": `/c/"`}, Parents: []string{"/p", "/c"}},
			`{"driver":"cgroupfs","rootless":true,"paths":{"cpu":"/c/\"","pids":"/p/a"},"parents":["/p","/c"]}`},
		{"systemd", Saved{Driver: Systemd, Unit: Unit{"machine.slice", "davit", "c1"}},
			`{"driver":"systemd","unit":{"slice":"machine.slice","prefix":"davit","name":"c1"}}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text, err := json.Marshal(test.saved)
			if err != nil {
				t.Fatal(err)
			}
			if string(text) != test.want {
				t.Errorf("got %s, want %s", text, test.want)
			}
			var back Saved
			if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, test.saved) {
				t.Errorf("got %+v, %v", back, err)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	const prefix = "opening the cgroup of a saved state: "
	tests := []struct {
		name  string
		saved Saved
		want  string
	}{
		{"nothing", Saved{}, "the driver is missing"},
		{"driver", Saved{Driver: "cgroup3"}, `unknown cgroup driver "cgroup3" (cgroupfs, systemd or disabled)`},
		{"no paths", Saved{Driver: Cgroupfs}, "the paths are missing"},
		{"relative", Saved{Driver: Cgroupfs, Paths: map[string]string{"": "a"}}, `invalid path "a" of hierarchy ""`},
		{"unclean", Saved{Driver: Cgroupfs, Paths: map[string]string{"": "/sys/fs/cgroup/a/../.."}}, `invalid path "/sys/fs/cgroup/a/../.." of hierarchy ""`},
		{"root", Saved{Driver: Cgroupfs, Paths: map[string]string{"": "/sys/fs/cgroup"}}, `invalid path "/sys/fs/cgroup" of hierarchy ""`},
		{"no unit", Saved{Driver: Systemd, Paths: map[string]string{"": "/sys/fs/cgroup/a"}}, "the systemd unit is missing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Open(test.saved); errText(err) != prefix+test.want {
				t.Errorf("got error %v, want %s", err, prefix+test.want)
			}
		})
	}
}

func TestParseDriver(t *testing.T) {
	for name, want := range map[string]Driver{"": Cgroupfs, "cgroupfs": Cgroupfs, "systemd": Systemd, "disabled": Disabled} {
		if got, err := ParseDriver(name); got != want || err != nil {
			t.Errorf("%q: got %q, %v", name, got, err)
		}
	}
	if _, err := ParseDriver("x"); err == nil {
		t.Error("x is accepted")
	}
}

func TestOwnerUID(t *testing.T) {
	const mount = "/sys/fs/cgroup"
	user := specs.LinuxNamespace{Type: specs.UserNamespace}
	own := specs.LinuxNamespace{Type: specs.CgroupNamespace}
	tests := []struct {
		name       string
		namespaces []specs.LinuxNamespace
		mount      specs.Mount
		uid        uint32
		want       int // 0: stays ours
	}{
		{"mapped", []specs.LinuxNamespace{own, user}, specs.Mount{Source: "cgroup", Destination: mount}, 5, 100005},
		{"not mapped", []specs.LinuxNamespace{own, user}, specs.Mount{Source: "cgroup", Destination: mount}, 70000, 0},
		{"no user namespace", []specs.LinuxNamespace{own}, specs.Mount{Source: "cgroup", Destination: mount + "/"}, 12345, 12345},
		{"read-only", []specs.LinuxNamespace{own, user}, specs.Mount{Source: "cgroup", Destination: mount, Options: []string{"ro"}}, 5, 0},
		{"elsewhere", []specs.LinuxNamespace{own, user}, specs.Mount{Source: "cgroup", Destination: "/cgroup"}, 5, 0},
		{"other source", []specs.LinuxNamespace{own, user}, specs.Mount{Source: "cgroup2", Destination: mount}, 5, 0},
		{"no cgroup namespace", []specs.LinuxNamespace{user}, specs.Mount{Source: "cgroup", Destination: mount}, 5, 0},
		{"joined cgroup namespace", []specs.LinuxNamespace{{Type: specs.CgroupNamespace, Path: "/proc/1/ns/cgroup"}, user}, specs.Mount{Source: "cgroup", Destination: mount}, 5, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := ownerUID(&specs.Spec{
				Process: &specs.Process{User: specs.User{UID: test.uid}},
				Mounts:  []specs.Mount{test.mount},
				Linux: &specs.Linux{
					Namespaces:  test.namespaces,
					UIDMappings: []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}},
				},
			})
			if value(got) != test.want {
				t.Errorf("got %d, want %d", value(got), test.want)
			}
		})
	}
}
