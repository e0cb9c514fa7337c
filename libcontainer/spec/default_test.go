package spec

import (
	"os"
	"reflect"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The files in testdata named runc-spec* are what `runc spec` of runc 1.5.1
// wrote, run by root with and without --rootless, on a host with cgroup v1
// and on one with cgroup v2 alone.
func TestDefaultIsWhatRuncWrites(t *testing.T) {
	tests := []struct {
		name, golden string
		make         func(*specs.Spec)
	}{
		{"default", "runc-spec.json", func(*specs.Spec) {}},
		{"cgroup v2", "runc-spec-cgroup2.json", AddCgroupNamespace},
		{"rootless", "runc-spec-rootless.json", func(s *specs.Spec) { Rootless(s, 0, 0) }},
		{"rootless, cgroup v2", "runc-spec-rootless-cgroup2.json", func(s *specs.Spec) { AddCgroupNamespace(s); Rootless(s, 0, 0) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := Default()
			test.make(s)
			if s.Hostname != "davit" {
				t.Errorf("hostname: got %q", s.Hostname)
			}
			s.Hostname = "runc"
			got, err := Encode(s)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile("testdata/" + test.golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if err := Validate(s); err != nil {
				t.Error(err)
			}
			if w := Warnings(s); len(w) > 0 {
				t.Error(w)
			}
		})
	}
}

func TestRootlessMapsTheUser(t *testing.T) {
	s := Default()
	Rootless(s, 1000, 1001)
	want := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 1}}
	if !reflect.DeepEqual(s.Linux.UIDMappings, want) {
		t.Errorf("uid: got %v, want %v", s.Linux.UIDMappings, want)
	}
	want[0].HostID = 1001
	if !reflect.DeepEqual(s.Linux.GIDMappings, want) {
		t.Errorf("gid: got %v, want %v", s.Linux.GIDMappings, want)
	}
}

func TestEncodeRoundTrip(t *testing.T) {
	want := Default()
	data, err := Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v\nwant %#v", got, want)
	}
}
