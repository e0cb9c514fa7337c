package main

import (
	"reflect"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// CVE-2026-30892: a user that is no number must not become user 0.
func TestParseUser(t *testing.T) {
	for _, test := range []struct {
		text     string
		uid, gid uint32
		err      string
	}{
		{"0", 0, 99, ""},
		{"1", 1, 99, ""},
		{"1:2", 1, 2, ""},
		{"007:0", 7, 0, ""},
		{"4294967294:4294967294", 4294967294, 4294967294, ""},
		{"", 0, 0, `bad uid: "" is not a number from 0 to 4294967295`},
		{"1:", 0, 0, `bad gid: "" is not a number from 0 to 4294967295`},
		{":1", 0, 0, `bad uid: "" is not a number from 0 to 4294967295`},
		{"+1", 0, 0, `bad uid: "+1" is not a number from 0 to 4294967295`},
		{"-1", 0, 0, `bad uid: "-1" is not a number from 0 to 4294967295`},
		{"1:+2", 0, 0, `bad gid: "+2" is not a number from 0 to 4294967295`},
		{"4294967296", 0, 0, `bad uid: "4294967296" is not a number from 0 to 4294967295`},
		{"abc", 0, 0, `bad uid: "abc" is not a number from 0 to 4294967295`},
		{" 1", 0, 0, `bad uid: " 1" is not a number from 0 to 4294967295`},
		{"1 ", 0, 0, `bad uid: "1 " is not a number from 0 to 4294967295`},
		{"1_0", 0, 0, `bad uid: "1_0" is not a number from 0 to 4294967295`},
		{"0x1", 0, 0, `bad uid: "0x1" is not a number from 0 to 4294967295`},
		{"1:2:3", 0, 0, `bad gid: "2:3" is not a number from 0 to 4294967295`},
	} {
		t.Run(test.text, func(t *testing.T) {
			u := specs.User{UID: 98, GID: 99}
			err := parseUser(test.text, &u)
			if errorText(err) != test.err {
				t.Fatalf("got %v, want %s", err, test.err)
			}
			if err == nil && (u.UID != test.uid || u.GID != test.gid) {
				t.Errorf("got %d:%d, want %d:%d", u.UID, u.GID, test.uid, test.gid)
			}
		})
	}
}

// An empty --user is none.
func TestSetUser(t *testing.T) {
	u := specs.User{UID: 5, GID: 6, AdditionalGids: make([]uint32, 1, 9)}
	f := processFlags{groups: []string{"7"}}
	if err := f.setUser(&u); err != nil || u.UID != 5 || u.GID != 6 || !reflect.DeepEqual(u.AdditionalGids, []uint32{0, 7}) {
		t.Errorf("got %+v, %v", u, err)
	}
	f.groups = []string{"-1"}
	if err := f.setUser(&u); err == nil {
		t.Error("group -1 was accepted")
	}
}

// CVE-2022-29162: --cap adds nothing to what programs inherit.
func TestAddCapabilities(t *testing.T) {
	one := []string{"CAP_KILL"}
	for _, test := range []struct {
		name      string
		had, want *specs.LinuxCapabilities
	}{
		{"none", nil, &specs.LinuxCapabilities{Bounding: one, Effective: one, Permitted: one}},
		{"empty", &specs.LinuxCapabilities{}, &specs.LinuxCapabilities{Bounding: one, Effective: one, Permitted: one}},
		{"inheritable", &specs.LinuxCapabilities{Inheritable: []string{"CAP_CHOWN"}},
			&specs.LinuxCapabilities{Bounding: one, Effective: one, Permitted: one, Inheritable: []string{"CAP_CHOWN"}, Ambient: one}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := specs.Process{Capabilities: test.had}
			f := processFlags{capabilities: one}
			f.addCapabilities(&p)
			if !reflect.DeepEqual(p.Capabilities, test.want) {
				t.Errorf("got %+v, want %+v", p.Capabilities, test.want)
			}
		})
	}
}

func TestParseSubCgroups(t *testing.T) {
	for _, test := range []struct {
		name   string
		values []string
		want   map[string]string
		err    string
	}{
		{"none", nil, nil, ""},
		{"path", []string{"a/b"}, map[string]string{"": "a/b"}, ""},
		{"controllers", []string{"cpu,cpuacct:x", "memory:/"}, map[string]string{"cpu": "x", "cpuacct": "x", "memory": "/"}, ""},
		{"two paths", []string{"a", "b"}, nil, "invalid --cgroup argument: a (missing <controller>: prefix)"},
		{"empty controller", []string{"cpu,:x"}, nil, "invalid --cgroup argument: cpu,:x (empty <controller> prefix)"},
		{"twice", []string{"cpu:x", "cpu:y"}, nil, "invalid --cgroup argument(s): controller cpu specified multiple times"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseSubCgroups(test.values)
			if errorText(err) != test.err || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, %v, want %v, %s", got, err, test.want, test.err)
			}
		})
	}
}
