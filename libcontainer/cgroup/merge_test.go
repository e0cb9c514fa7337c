package cgroup

import (
	"encoding/json"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// parse reads resources as config.json has them.
func parse(t *testing.T, text string) *specs.LinuxResources {
	t.Helper()
	r := &specs.LinuxResources{}
	if err := json.Unmarshal([]byte(text), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMerge(t *testing.T) {
	tests := []struct{ name, old, change, want string }{
		{"nothing", `{"memory":{"limit":1}}`, `{}`, `{"memory":{"limit":1}}`},
		{"memory", `{"memory":{"limit":1,"swap":2,"reservation":3}}`, `{"memory":{"limit":4}}`, `{"memory":{"limit":4,"swap":2,"reservation":3}}`},
		{"memory without limit", `{"memory":{"limit":1,"swap":2}}`, `{"memory":{"limit":-1}}`, `{"memory":{"limit":-1}}`},
		{"only swap limited", `{"memory":{"limit":1,"swap":2}}`, `{"memory":{"limit":-1,"swap":9}}`, `{"memory":{"limit":-1,"swap":9}}`},
		{"what is not written", `{"memory":{"limit":1}}`, `{"memory":{"limit":0,"checkBeforeUpdate":true}}`, `{"memory":{"limit":1}}`},
		{"cpu", `{"cpu":{"shares":2,"quota":3,"cpus":"0"}}`, `{"cpu":{"quota":-1,"idle":0,"burst":0,"mems":"1"}}`,
			`{"cpu":{"shares":2,"quota":-1,"burst":0,"cpus":"0","mems":"1","idle":0}}`},
		{"pids", `{"pids":{"limit":1}}`, `{"pids":{"limit":0}}`, `{"pids":{"limit":0}}`},
		{"pids unnamed", `{"pids":{"limit":1}}`, `{"pids":{}}`, `{"pids":{"limit":1}}`},
		{"block devices", `{"blockIO":{"weight":10,"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1},{"major":8,"minor":16,"rate":2},{"major":8,"minor":0,"rate":3}]}}`,
			`{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":4}]}}`,
			`{"blockIO":{"weight":10,"throttleReadBpsDevice":[{"major":8,"minor":16,"rate":2},{"major":8,"minor":0,"rate":4}]}}`},
		{"device weights", `{"blockIO":{"weightDevice":[{"major":8,"minor":0,"weight":10,"leafWeight":20}]}}`,
			`{"blockIO":{"weightDevice":[{"major":8,"minor":0,"leafWeight":30},{"major":9,"minor":0,"weight":40}]}}`,
			`{"blockIO":{"weightDevice":[{"major":8,"minor":0,"weight":10,"leafWeight":30},{"major":9,"minor":0,"weight":40}]}}`},
		{"huge pages", `{"hugepageLimits":[{"pageSize":"2MB","limit":1},{"pageSize":"1GB","limit":2}]}`, `{"hugepageLimits":[{"pageSize":"2MB","limit":3}]}`,
			`{"hugepageLimits":[{"pageSize":"1GB","limit":2},{"pageSize":"2MB","limit":3}]}`},
		{"network", `{"network":{"classID":1,"priorities":[{"name":"lo","priority":1}]}}`, `{"network":{"priorities":[{"name":"lo","priority":2}]}}`,
			`{"network":{"classID":1,"priorities":[{"name":"lo","priority":2}]}}`},
		{"unified", `{"unified":{"memory.high":"1","pids.max":"5"}}`, `{"unified":{"memory.high":"2"},"pids":{"limit":6}}`,
			`{"pids":{"limit":6},"unified":{"memory.high":"2"}}`},
		{"unified quota", `{"unified":{"cpu.max":"max 5","cpu.weight":"7"}}`, `{"cpu":{"period":6}}`, `{"cpu":{"period":6},"unified":{"cpu.weight":"7"}}`},
		{"devices", `{"devices":[{"allow":true,"access":"r"}]}`, `{"devices":[]}`, `{"devices":[{"allow":true,"access":"r"}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			old, change := parse(t, tt.old), parse(t, tt.change)
			got, err := json.Marshal(merge(old, change))
			if err != nil {
				t.Fatal(err)
			}
			want, _ := json.Marshal(parse(t, tt.want))
			if string(got) != string(want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			unaltered(t, old, tt.old)
			unaltered(t, change, tt.change)
		})
	}
}

// unaltered compares resources with the text that they were parsed from.
func unaltered(t *testing.T, r *specs.LinuxResources, text string) {
	t.Helper()
	got, _ := json.Marshal(r)
	want, _ := json.Marshal(parse(t, text))
	if string(got) != string(want) {
		t.Errorf("altered: %s, was %s", got, want)
	}
}

// What is written in one with a change.
func TestWhole(t *testing.T) {
	tests := []struct{ name, old, change, want string }{
		{"unrelated", `{"memory":{"limit":1},"cpu":{"quota":2},"pids":{"limit":3},"unified":{"a.b":"c"}}`, `{"pids":{"limit":4}}`, `{"pids":{"limit":4}}`},
		{"swap needs memory", `{"memory":{"limit":1,"swap":2}}`, `{"memory":{"swap":3}}`, `{"memory":{"limit":1,"swap":3}}`},
		{"memory moves swap", `{"memory":{"limit":1,"swap":9}}`, `{"memory":{"limit":3}}`, `{"memory":{"limit":3,"swap":9}}`},
		{"memory without limit", `{"memory":{"limit":1,"swap":9}}`, `{"memory":{"limit":-1}}`, `{"memory":{"limit":-1}}`},
		{"reservation alone", `{"memory":{"limit":1}}`, `{"memory":{"reservation":3}}`, `{"memory":{"reservation":3}}`},
		{"quota", `{"cpu":{"quota":1,"period":2,"shares":3}}`, `{"cpu":{"quota":4}}`, `{"cpu":{"quota":4,"period":2}}`},
		{"period", `{"cpu":{"quota":1,"period":2}}`, `{"cpu":{"period":4}}`, `{"cpu":{"quota":1,"period":4}}`},
		{"quota and period", `{"cpu":{"quota":1,"period":2}}`, `{"cpu":{"quota":3,"period":4}}`, `{"cpu":{"quota":3,"period":4}}`},
		{"realtime", `{"cpu":{"realtimeRuntime":1,"realtimePeriod":2}}`, `{"cpu":{"realtimeRuntime":3}}`, `{"cpu":{"realtimeRuntime":3,"realtimePeriod":2}}`},
		{"no devices", `{}`, `{"devices":[{"allow":true,"access":"rwm"}]}`, `{}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			old, change := parse(t, tt.old), parse(t, tt.change)
			got, _ := json.Marshal(whole(old, change))
			want, _ := json.Marshal(parse(t, tt.want))
			if string(got) != string(want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			unaltered(t, change, tt.change)
		})
	}
}
