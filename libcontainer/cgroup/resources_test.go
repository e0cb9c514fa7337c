package cgroup

import (
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"testing"

	"github.com/opencontainers/cgroups"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestConvert(t *testing.T) {
	from := &specs.LinuxResources{
		Memory: &specs.LinuxMemory{
			Limit: ptr(int64(1)), Reservation: ptr(int64(2)), Swap: ptr(int64(3)), Swappiness: ptr(uint64(4)),
			DisableOOMKiller: ptr(true), CheckBeforeUpdate: ptr(true),
		},
		CPU: &specs.LinuxCPU{
			Shares: ptr(uint64(1024)), Quota: ptr(int64(6)), Burst: ptr(uint64(7)), Period: ptr(uint64(8)),
			RealtimeRuntime: ptr(int64(9)), RealtimePeriod: ptr(uint64(10)), Cpus: "0-1", Mems: "0", Idle: ptr(int64(1)),
		},
		Pids: &specs.LinuxPids{Limit: ptr(int64(0))},
		BlockIO: &specs.LinuxBlockIO{
			Weight: ptr(uint16(100)), LeafWeight: ptr(uint16(200)),
			WeightDevice:            []specs.LinuxWeightDevice{weightDevice()},
			ThrottleReadBpsDevice:   []specs.LinuxThrottleDevice{throttleDevice(1)},
			ThrottleWriteBpsDevice:  []specs.LinuxThrottleDevice{throttleDevice(2)},
			ThrottleReadIOPSDevice:  []specs.LinuxThrottleDevice{throttleDevice(3)},
			ThrottleWriteIOPSDevice: []specs.LinuxThrottleDevice{throttleDevice(4)},
		},
		HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 5}},
		Network:        &specs.LinuxNetwork{ClassID: ptr(uint32(6)), Priorities: []specs.LinuxInterfacePriority{{Name: "eth0", Priority: 7}}},
		Rdma:           map[string]specs.LinuxRdma{"mlx5_1": {HcaHandles: ptr(uint32(8))}},
		Unified:        map[string]string{"memory.high": "9"},
	}
	want := &cgroups.Resources{
		Memory: 1, MemoryReservation: 2, MemorySwap: 3, MemorySwappiness: ptr(uint64(4)), OomKillDisable: true, MemoryCheckBeforeUpdate: true,
		CpuShares: 1024, CpuWeight: 100, CpuQuota: 6, CpuBurst: ptr(uint64(7)), CpuPeriod: 8, CpuRtRuntime: 9, CpuRtPeriod: 10,
		CpusetCpus: "0-1", CpusetMems: "0", CPUIdle: ptr(int64(1)), PidsLimit: ptr(int64(0)),
		BlkioWeight: 100, BlkioLeafWeight: 200, BlkioWeightDevice: []*cgroups.WeightDevice{cgroups.NewWeightDevice(8, 16, 300, 400)},
		BlkioThrottleReadBpsDevice:   []*cgroups.ThrottleDevice{cgroups.NewThrottleDevice(8, 16, 1)},
		BlkioThrottleWriteBpsDevice:  []*cgroups.ThrottleDevice{cgroups.NewThrottleDevice(8, 16, 2)},
		BlkioThrottleReadIOPSDevice:  []*cgroups.ThrottleDevice{cgroups.NewThrottleDevice(8, 16, 3)},
		BlkioThrottleWriteIOPSDevice: []*cgroups.ThrottleDevice{cgroups.NewThrottleDevice(8, 16, 4)},
		HugetlbLimit:                 []*cgroups.HugepageLimit{{Pagesize: "2MB", Limit: 5}},
		NetClsClassid:                6, NetPrioIfpriomap: []*cgroups.IfPrioMap{{Interface: "eth0", Priority: 7}},
		Rdma:    map[string]cgroups.LinuxRdma{"mlx5_1": {HcaHandles: ptr(uint32(8))}},
		Unified: map[string]string{"memory.high": "9"},
	}
	got, _, err := convert(&specs.Spec{Linux: &specs.Linux{Resources: from}}, v2)
	if err != nil {
		t.Fatal(err)
	}
	got.Devices = nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for _, f := range fields(got) {
		if !f.set {
			t.Errorf("%s counts as not set", f.name)
		}
	}
	if onlyDevices(got) {
		t.Error("this counts as only devices")
	}
}

func weightDevice() specs.LinuxWeightDevice {
	d := specs.LinuxWeightDevice{Weight: ptr(uint16(300)), LeafWeight: ptr(uint16(400))}
	d.Major, d.Minor = 8, 16
	return d
}

func throttleDevice(rate uint64) specs.LinuxThrottleDevice {
	d := specs.LinuxThrottleDevice{Rate: rate}
	d.Major, d.Minor = 8, 16
	return d
}

func TestConvertRefuses(t *testing.T) {
	tests := []struct {
		name      string
		version   version
		resources specs.LinuxResources
		want      string
	}{
		{"unified on v1", v1, specs.LinuxResources{Unified: map[string]string{"memory.max": "1"}},
			"invalid configuration: linux.resources.unified needs cgroup v2, and this machine has v1 or hybrid"},
		{"swap without memory", v2, specs.LinuxResources{Memory: &specs.LinuxMemory{Swap: ptr(int64(5))}},
			"linux.resources.memory.swap 5: unable to set swap limit without memory limit"},
		{"swap below memory", v2, specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(6)), Swap: ptr(int64(5))}},
			"linux.resources.memory.swap 5: memory+swap limit should be >= memory limit"},
		{"no swap limit", v2, specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(6)), Swap: ptr(int64(-1))}}, ""},
		{"hole in a device rule", v2, specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{
			{Allow: true, Type: "c", Access: "rw"}, {Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(3)), Access: "w"},
		}}, "linux.resources.devices: the rule for c 1:3 w cannot be taken out of the one for c *:* rw before it"},
		{"nothing", v2, specs.LinuxResources{}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := convert(&specs.Spec{Linux: &specs.Linux{Resources: &test.resources}}, test.version)
			if errText(err) != test.want {
				t.Errorf("got error %v, want %s", err, test.want)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	resources := &specs.LinuxResources{
		Memory:  &specs.LinuxMemory{Kernel: ptr(int64(1)), DisableOOMKiller: ptr(true), Swappiness: ptr(uint64(0))}, //nolint:staticcheck // deprecated
		CPU:     &specs.LinuxCPU{RealtimeRuntime: ptr(int64(1))},
		Network: &specs.LinuxNetwork{ClassID: ptr(uint32(0))},
	}
	kernel := "linux.resources.memory.kernel is ignored: Linux has no limit on kernel memory any more"
	want := []string{
		kernel,
		"linux.resources.memory.disableOOMKiller is ignored: cgroup v2 has no such setting",
		"linux.resources.memory.swappiness is ignored: cgroup v2 has no such setting",
		"linux.resources.cpu.realtimeRuntime is ignored: cgroup v2 has no such setting",
	}
	if got := ignored(resources, v2); !slices.Equal(got, want) {
		t.Errorf("v2: got %q, want %q", got, want)
	}
	if got := ignored(resources, v1); !slices.Equal(got, []string{kernel}) {
		t.Errorf("v1: got %q", got)
	}
}

func TestLimitError(t *testing.T) {
	limits := &cgroups.Resources{Unified: map[string]string{"memory.high": "x"}}
	at := func(op, file string, err error) error {
		return &fs.PathError{Op: op, Path: mountpoint + "/a/" + file, Err: err}
	}
	wrote := func(value, file string, err error) error {
		return errors.Join(errors.New(`failed to write "`+value+`":`), at("write", file, err))
	}
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"write", wrote("4096", "memory.max", unix.EACCES), "setting memory.max of cgroup /a to 4096: permission denied [linux.resources.memory.limit]"},
		{"unified", wrote("x", "memory.high", unix.EINVAL), "setting memory.high of cgroup /a to x: invalid argument [linux.resources.unified]"},
		{"spaces", wrote("50000 100000", "cpu.max", unix.EINVAL), `setting cpu.max of cgroup /a to "50000 100000": invalid argument [linux.resources.cpu.quota]`},
		{"cpuset", wrote("9", "cpuset.cpus", unix.EINVAL), "setting cpuset.cpus of cgroup /a to 9: invalid argument [linux.resources.cpu.cpus]"},
		{"blkio", at("open", "blkio.throttle.read_bps_device", unix.EPERM), "setting blkio.throttle.read_bps_device of cgroup /a: operation not permitted [linux.resources.blockIO]"},
		{"no file", errors.New("unable to freeze"), "limiting cgroup /a: unable to freeze"},
		{"lines", errors.New("one\ntwo"), "limiting cgroup /a: one two"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := limitError(mountpoint+"/a", limits, test.err); got.Error() != test.want {
				t.Errorf("got  %v\nwant %s", got, test.want)
			}
		})
	}
}

func TestDisabled(t *testing.T) {
	m, err := New(Options{ID: "c1", Driver: Disabled, Spec: &specs.Spec{}})
	if err != nil {
		t.Fatal(err)
	}
	if m.Joins() != JoinNone || m.Exists() {
		t.Errorf("got %v, %v", m.Joins(), m.Exists())
	}
	other, err := Open(m.Saved())
	if err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() error{"Create": m.Create, "Limit": m.Limit, "KillAll": other.KillAll, "Delete": other.Delete} {
		if err := do(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	limits := &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr(int64(5))}}
	_, err = New(Options{ID: "c1", Driver: Disabled, Spec: &specs.Spec{Linux: &specs.Linux{Resources: limits}}})
	if want := "linux.resources.pids.limit cannot be set: cgroups are disabled"; errText(err) != want {
		t.Errorf("got error %v, want %s", err, want)
	}
}
