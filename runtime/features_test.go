package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go/features"

	"github.com/davit-containers/davit/libcontainer"
	"github.com/davit-containers/davit/libcontainer/seccomp/compile"
)

// TestFeatures checks what engines decide by, as they read it.
func TestFeatures(t *testing.T) {
	p := newProgram("davit")
	var out bytes.Buffer
	p.out = &out
	if err := p.printJSON(libcontainer.Features()); err != nil {
		t.Fatal(err)
	}
	var f features.Features
	if err := json.Unmarshal(out.Bytes(), &f); err != nil {
		t.Fatal(err)
	}
	l := f.Linux
	for name, enabled := range map[string]*bool{
		"cgroup.v1": l.Cgroup.V1, "cgroup.v2": l.Cgroup.V2, "cgroup.systemd": l.Cgroup.Systemd, "cgroup.systemdUser": l.Cgroup.SystemdUser,
		"cgroup.rdma": l.Cgroup.Rdma, "seccomp": l.Seccomp.Enabled, "apparmor": l.Apparmor.Enabled, "selinux": l.Selinux.Enabled,
		"intelRdt": l.IntelRdt.Enabled, "intelRdt.schemata": l.IntelRdt.Schemata, "intelRdt.monitoring": l.IntelRdt.Monitoring,
		"mountExtensions.idmap": l.MountExtensions.IDMap.Enabled, "netDevices": l.NetDevices.Enabled,
	} {
		if enabled == nil || !*enabled {
			t.Errorf("%s is not enabled", name)
		}
	}
	for name, list := range map[string][2][]string{
		"namespaces":   {l.Namespaces, {"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"}},
		"hooks":        {f.Hooks, {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}},
		"policy modes": {l.MemoryPolicy.Modes, {"MPOL_BIND", "MPOL_DEFAULT", "MPOL_INTERLEAVE", "MPOL_LOCAL", "MPOL_PREFERRED", "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE"}},
		"unsafe":       {f.PotentiallyUnsafeConfigAnnotations, {"org.criu.config", "org.systemd.property.", "run.oci.keep_original_groups", "run.oci.seccomp_fail_unknown_syscall"}},
		"supported":    {l.Seccomp.SupportedFlags, compile.SupportedFlags()},
	} {
		if !slices.Equal(list[0], list[1]) {
			t.Errorf("%s: got %v, want %v", name, list[0], list[1])
		}
	}
	if f.OCIVersionMin != "1.0.0" || f.OCIVersionMax != "1.3.0" || len(f.MountOptions) < 60 || len(l.Capabilities) != 41 {
		t.Errorf("got %s to %s, %d mount options, %d capabilities", f.OCIVersionMin, f.OCIVersionMax, len(f.MountOptions), len(l.Capabilities))
	}
}

// TestUnsafeAnnotations: an annotation of crun's or systemd's that the code
// reads is one that engines must know of.
func TestUnsafeAnnotations(t *testing.T) {
	known := strings.Join(libcontainer.Features().PotentiallyUnsafeConfigAnnotations, " ")
	deep, err := filepath.Glob("../libcontainer/*/*.go")
	if err != nil || len(deep) < 50 {
		t.Fatalf("%d files, %v", len(deep), err)
	}
	files, err := filepath.Glob("../libcontainer/*.go")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, deep...)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, prefix := range []string{`"run.oci.`, `"org.criu.`, `"org.systemd.`} {
			for rest := string(data); !strings.HasSuffix(file, "_test.go"); {
				_, after, found := strings.Cut(rest, prefix)
				if !found {
					break
				}
				name, _, _ := strings.Cut(prefix[1:]+after, `"`)
				if !strings.Contains(known, name) && name != "run.oci.systemd.subgroup" { // which is refused
					t.Errorf("%s reads %s, which features does not list", file, name)
				}
				rest = after
			}
		}
	}
}
