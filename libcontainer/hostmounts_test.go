package libcontainer

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Without a mount namespace the mounts lie on the host; box looks that they go
// with the container.
func TestMountsOnHost(t *testing.T) {
	b := newBox(t)
	b.config.Linux.MaskedPaths, b.config.Linux.ReadonlyPaths = nil, nil
	b.config.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.PIDNamespace}}
	b.config.Hostname = ""
	b.config.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/own", Type: "c", Major: 1, Minor: 5}}
	c := b.running()
	if got := b.execs(c, "sh", "-c", "touch /x 2>&1; :"); !strings.Contains(got, "Read-only file system") {
		t.Errorf("its root.readonly: %q", got)
	}
	if got := b.execs(c, "stat", "-c", "%F %t:%T", "/dev/null", "/dev/own"); got != "character special file 1:3\ncharacter special file 1:5" {
		t.Errorf("its devices: %s", got)
	}
	if now := b.remains(); !strings.Contains(now, b.rootfs("proc")) {
		t.Errorf("no mount of the container is among\n%s", now)
	}
}

// A read-only root file system is a mount, also where it is the only one.
func TestReadonlyOnHost(t *testing.T) {
	b := newBox(t)
	b.config.Linux.MaskedPaths, b.config.Linux.ReadonlyPaths, b.config.Mounts = nil, nil, nil
	b.config.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.PIDNamespace}}
	b.config.Hostname = ""
	if got := b.succeeds("sh", "-c", "touch /x 2>&1; :"); !strings.Contains(got, "Read-only file system") {
		t.Errorf("its root.readonly: %q", got)
	}
	if left := b.remains(); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

// A creation that fails takes them off again.
func TestMountsOnHostUndone(t *testing.T) {
	b := newBox(t)
	b.config.Linux.MaskedPaths, b.config.Linux.ReadonlyPaths = nil, nil
	b.config.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.PIDNamespace}}
	b.config.Hostname = ""
	if _, _, err := b.run("/missing"); err == nil {
		t.Error("a missing program was run")
	}
	if left := b.remains(); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}
