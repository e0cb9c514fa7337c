package libcontainer

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Each way out of the confinement is noticed, and nothing else.
func TestConfinement(t *testing.T) {
	c := &confinement{
		apart: []string{"pid", "net"}, host: map[string]string{"pid": "pid:[1]", "net": "net:[1]", "uts": "uts:[1]"},
		cgroups: map[string]string{"": "/box", "cpu": "/"}, caps: 0b11, seccomp: true, apparmor: "profile",
	}
	fine := func() *observation {
		return &observation{
			namespaces: map[string]string{"pid": "pid:[2]", "net": "net:[2]", "uts": "uts:[1]", "user": "user:[1]"},
			cgroups:    map[string]string{"": "/box", "cpu": "/any"}, caps: 0b10, seccomp: true, apparmor: "profile",
		}
	}
	for _, test := range []struct {
		name   string
		change func(o *observation)
		want   string
	}{
		{"fine", func(*observation) {}, ""},
		{"a cgroup below", func(o *observation) { o.cgroups[""] = "/box/below" }, ""},
		{"a user namespace of its own", func(o *observation) { o.namespaces["user"], o.caps = "user:[9]", 0b111 }, ""},
		{"the host's namespace", func(o *observation) { o.namespaces["net"] = "net:[1]" }, "the host's net namespace"},
		{"a cgroup elsewhere", func(o *observation) { o.cgroups[""] = "/boxer" }, "the cgroup /boxer, outside of"},
		{"no such hierarchy", func(o *observation) { delete(o.cgroups, "cpu") }, "outside of"},
		{"a capability more", func(o *observation) { o.caps = 0b110 }, "CAP_DAC_READ_SEARCH"},
		{"no filter", func(o *observation) { o.seccomp = false }, "no seccomp filter"},
		{"another profile", func(o *observation) { o.apparmor = "unconfined" }, `profile "unconfined"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := fine()
			test.change(o)
			err := c.check(o, "user:[1]")
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// What is observed of a process is what the kernel says of it.
func TestObserve(t *testing.T) {
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	pids, err := descendants(os.Getpid())
	if err != nil || !slices.Contains(pids, child.Process.Pid) || pids[0] != os.Getpid() {
		t.Errorf("descendants: %v, %v", pids, err)
	}
	o, err := observe(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := observe(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if o.namespaces["mnt"] == "" || o.namespaces["mnt"] != ours.namespaces["mnt"] || len(o.cgroups) == 0 || o.caps != ours.caps || o.seccomp != ours.seccomp {
		t.Errorf("got %+v, want %+v", o, ours)
	}
	if os.Geteuid() == 0 && o.caps == 0 {
		t.Error("root has no capabilities")
	}
}
