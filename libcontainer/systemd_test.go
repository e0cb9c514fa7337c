package libcontainer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/libcontainer/cgroup"
)

// unitBox is a box whose container gets a cgroup of systemd: the scope named
// unit.
func unitBox(t *testing.T) (b *box, unit string) {
	t.Helper()
	b = newBox(t)
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		t.Skip("needs systemd as PID 1")
	}
	b.runtime.Cgroups = cgroup.Systemd
	id := b.config.Linux.CgroupsPath
	b.config.Linux.CgroupsPath = "davit-test.slice:davit:" + id
	return b, "davit-" + id + ".scope"
}

// property is what systemd says about a unit.
func (b *box) property(unit, name string) string {
	b.t.Helper()
	out, err := exec.Command("systemctl", "show", "--value", "--property="+name, unit).CombinedOutput()
	if err != nil {
		b.t.Fatalf("systemctl show %s: %v: %s", unit, err, out)
	}
	return strings.TrimSpace(string(out))
}

// cgroupFile is the content of a file in the container's cgroup.
func (b *box) cgroupFile(c *Container, name string) string {
	b.t.Helper()
	m, err := c.manager()
	b.must(err)
	dir := m.Paths()[""]
	if dir == "" {
		b.t.Skip("needs cgroup v2")
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	b.must(err)
	return strings.TrimSpace(string(data))
}

// The scope holds the container, has its limits in systemd's words and in the
// kernel's, and is gone with it.
func TestSystemdUnit(t *testing.T) {
	b, unit := unitBox(t)
	t.Cleanup(func() { // after the container's end
		if got := b.property(unit, "LoadState"); got != "not-found" {
			t.Errorf("afterwards the unit is %s", got)
		}
	})
	b.config.Annotations = map[string]string{"org.systemd.property.TimeoutStopUSec": "uint64 7000000"}
	b.config.Linux.Resources = &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: new(int64)},
		CPU:    &specs.LinuxCPU{Quota: new(int64), Period: new(uint64), Cpus: "0"},
		Pids:   &specs.LinuxPids{Limit: new(int64)},
	}
	r := b.config.Linux.Resources
	*r.Memory.Limit, *r.CPU.Quota, *r.CPU.Period, *r.Pids.Limit = 64<<20, 50000, 100000, 17
	c := b.running()
	for name, want := range map[string]string{
		"ActiveState": "active", "Slice": "davit-test.slice", "TimeoutStopUSec": "7s", "MemoryMax": "67108864",
		"TasksMax": "17", "CPUQuotaPerSecUSec": "500ms", "AllowedCPUs": "0", "Delegate": "yes",
	} {
		if got := b.property(unit, name); got != want {
			t.Errorf("systemd says %s=%s, want %s", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"memory.max": "67108864", "cpu.max": "50000 100000", "pids.max": "17", "cpuset.cpus": "0", "cgroup.procs": strconv.Itoa(c.Pid()),
	} {
		if got := b.cgroupFile(c, name); got != want {
			t.Errorf("the kernel says %s=%s, want %s", name, got, want)
		}
	}
}

// What an exec'd process may do with devices and how much it may take is the
// scope's business.
func TestSystemdExec(t *testing.T) {
	b, unit := unitBox(t)
	c := b.running()
	p, err := c.Exec(ExecOptions{Process: b.process(c, "sleep", "1000")})
	b.must(err)
	defer p.Close()
	want, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", c.Pid()))
	b.must(err)
	got, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.Pid()))
	b.must(err)
	if string(got) != string(want) || !strings.Contains(string(got), "/"+unit+"\n") {
		t.Errorf("it is in\n%s, the container in\n%s", got, want)
	}
	b.must(p.Signal(unix.SIGKILL))
	_, err = p.Wait()
	b.must(err)
}

// systemd writes the rules of its units again when it reloads its files or
// when a property is set. Some rules it cannot express.
func TestSystemdKeepsDeviceRules(t *testing.T) {
	number := func(n int64) *int64 { return &n }
	for _, test := range []struct {
		name  string
		rules []specs.LinuxDeviceCgroup
	}{
		{"a list", []specs.LinuxDeviceCgroup{{Access: "rwm"}, {Allow: true, Type: "c", Major: number(10), Minor: number(237), Access: "r"}}},
		{"any major", []specs.LinuxDeviceCgroup{{Access: "rwm"}, {Allow: true, Type: "c", Minor: number(237), Access: "r"}}},
		{"a denial", []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}, {Type: "c", Major: number(10), Minor: number(237), Access: "w"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, unit := unitBox(t)
			b.config.Linux.Resources = &specs.LinuxResources{Devices: test.rules}
			// loop-control, which needs no privilege to be opened.
			b.config.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/some", Type: "c", Major: 10, Minor: 237}}
			c := b.running()
			const script = "exec 2>/dev/null; (: </dev/some) && echo read; (: >/dev/some) && echo write; (: >/dev/null) && echo null"
			const want = "read\nnull"
			if got := b.execs(c, "sh", "-c", script); got != want {
				t.Fatalf("at first: got %q, want %q", got, want)
			}
			for _, args := range [][]string{{"daemon-reload"}, {"set-property", "--runtime", unit, "TasksMax=100"}} {
				if out, err := exec.Command("systemctl", args...).CombinedOutput(); err != nil {
					t.Fatalf("systemctl %v: %v: %s", args, err, out)
				}
				if got := b.execs(c, "sh", "-c", script); got != want {
					t.Errorf("after %s: got %q, want %q", args[0], got, want)
				}
			}
		})
	}
}
