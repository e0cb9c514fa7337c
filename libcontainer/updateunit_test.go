package libcontainer

import (
	"os/exec"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// systemctl runs it.
func systemctl(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("systemctl", args...).CombinedOutput(); err != nil {
		t.Fatalf("systemctl %v: %v: %s", args, err, out)
	}
}

// What an update changes is the unit's too: systemd, when it writes its values
// again, writes these. Device rules stay in force.
func TestUpdateUnit(t *testing.T) {
	b, unit := unitBox(t)
	b.config.Linux.Resources = limits(100)
	b.config.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
	sets := b.config.Process.Capabilities
	for _, set := range []*[]string{&sets.Bounding, &sets.Effective, &sets.Permitted} {
		*set = append(*set, "CAP_MKNOD")
	}
	c := b.running()
	b.must(c.Update(Update{Resources: limits(50)}))
	check := func(when, want string) {
		t.Helper()
		if got := b.pidsMax(c); got != want {
			t.Errorf("%s: pids.max is %s, want %s", when, got, want)
		}
		if got := b.property(unit, "TasksMax"); got != want {
			t.Errorf("%s: TasksMax is %s, want %s", when, got, want)
		}
		script := "test -e /dev/kmsg || mknod /dev/kmsg c 1 11; cat </dev/kmsg 2>&1; echo x >/dev/null && echo open"
		out, _, err := b.exec(c, ExecOptions{Process: b.process(c, "sh", "-c", script)})
		if err != nil || !strings.Contains(out, "not permitted") || !strings.HasSuffix(out, "\nopen") {
			t.Errorf("%s: devices: %q, %v", when, out, err)
		}
	}
	check("after an update", "50")
	systemctl(t, "daemon-reload")
	check("after a reload", "50")
	systemctl(t, "set-property", "--runtime", unit, "CPUWeight=50")
	check("after another's change", "50")

	r := limits(60)
	r.CPU = &specs.LinuxCPU{Cpus: "4000"}
	if err := c.Update(Update{Resources: r}); err == nil {
		t.Error("CPU 4000 was taken")
	}
	check("after a failure", "50")
	systemctl(t, "daemon-reload")
	check("after a failure and a reload", "50")
}
