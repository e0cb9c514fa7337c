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
	c := b.running()
	if got := b.execs(c, "sh", "-c", "touch /x 2>&1; :"); !strings.Contains(got, "Read-only file system") {
		t.Errorf("its root.readonly: %q", got)
	}
	if now := b.remains(); !strings.Contains(now, b.rootfs("proc")) {
		t.Errorf("no mount of the container is among\n%s", now)
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
