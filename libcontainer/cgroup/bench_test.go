package cgroup

import (
	"testing"

	"github.com/opencontainers/cgroups"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// BenchmarkKernel times the cgroup of one container without a process: what a
// start adds to the bare mkdir and rmdir beside it. Run it in a view:
//
//	DAVIT_TEST_CGROUP_VIEW=v2 unshare -m cgroup.test -test.run '^$' -test.bench Kernel
func BenchmarkKernel(b *testing.B) {
	needView(b)
	if !cgroups.IsCgroup2UnifiedMode() {
		b.Skip("the other cgroup versions need a process")
	}
	path := testPath(b, "c")
	if err := unix.Mkdir(mountpoint+path[:len(path)-2], 0o755); err != nil {
		b.Fatal(err)
	}
	spec := &specs.Spec{Linux: &specs.Linux{
		CgroupsPath: path,
		Resources:   &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}}},
	}}
	b.Run("mkdir+rmdir", func(b *testing.B) {
		for b.Loop() {
			must(b, unix.Mkdir(mountpoint+path, 0o755))
			must(b, unix.Rmdir(mountpoint+path))
		}
	})
	b.Run("New", func(b *testing.B) {
		for b.Loop() {
			_, err := New(Options{ID: "test", Spec: spec})
			must(b, err)
		}
	})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			m, err := New(Options{ID: "test", Spec: spec})
			must(b, err)
			must(b, m.Create())
			_, err = m.File()
			must(b, err)
			must(b, m.Limit())
			must(b, m.Delete())
		}
	})
}

func must(b *testing.B, err error) {
	if err != nil {
		b.Fatal(err)
	}
}
