package task

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/engine"
	"github.com/davit-containers/davit/shim/protobuf"
)

const optionsTOML = `# of runc's
BinaryName = "/usr/bin/other"
Root = '/run/other'
ShimCgroup = "/shims"
CriuWorkPath = "/tmp/criu"
IoUid = 1
IoGid = 2
NoPivotRoot = true
NoNewKeyring = true
SystemdCgroup = true
Unknown = 7
`

// Options come in containerd's two forms, and say the same in both.
func TestOptions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "options.toml")
	if err := os.WriteFile(file, []byte(optionsTOML), 0o600); err != nil {
		t.Fatal(err)
	}
	runc := &api.Options{
		NoPivotRoot: true, NoNewKeyring: true, ShimCgroup: "/shims", IOUID: 1, IOGID: 2, BinaryName: "/usr/bin/other",
		Root: "/run/other", SystemdCgroup: true, CriuWorkPath: "/tmp/criu",
	}
	want := engine.Options{
		Binary: "/usr/bin/other", Root: "/run/other", Systemd: true, NoPivot: true, NoNewKeyring: true,
		UID: 1, GID: 2, CriuWork: "/tmp/criu",
	}
	for name, a := range map[string]*protobuf.Any{
		"runc's":               protobuf.Pack(api.OptionsName, runc),
		"generic":              protobuf.Pack(api.GenericOptionsName, &generic{body: []byte(optionsTOML)}),
		"generic, from a file": protobuf.Pack(api.GenericOptionsName, &generic{path: file}),
		"CRI's old name":       protobuf.Pack("cri.runtimeoptions.v1.Options", &generic{body: []byte(optionsTOML)}),
		"with a prefix":        protobuf.Pack("type.googleapis.com/"+api.OptionsName, runc),
	} {
		got, err := ParseOptions(a)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
		if o, err := RuncOptions(a); err != nil || o.ShimCgroup != "/shims" {
			t.Errorf("%s: the shim's cgroup is %q, %v", name, o.ShimCgroup, err)
		}
	}
	if got, err := ParseOptions(nil); err != nil || got != (engine.Options{}) {
		t.Errorf("none: got %+v, %v", got, err)
	}
}

// What are no options is refused, and nothing without an end is read.
func TestNoOptions(t *testing.T) {
	for want, a := range map[string]*protobuf.Any{
		`options of the type "other" are not known`: {TypeURL: "other", Value: []byte{1}},
		"more than":    protobuf.Pack(api.GenericOptionsName, &generic{path: "/dev/zero"}),
		"no such file": protobuf.Pack(api.GenericOptionsName, &generic{path: "/nonexistent"}),
		"IoUid = many": protobuf.Pack(api.GenericOptionsName, &generic{body: []byte("IoUid = many")}),
	} {
		if _, err := ParseOptions(a); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
