package libcontainer

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/libcontainer/criu"
	"github.com/davit-containers/davit/libcontainer/plan"
)

func decimal(f *os.File) string { return strconv.Itoa(int(f.Fd())) }

// A destination is named without the links on the way, and none leads out.
func TestMountNames(t *testing.T) {
	rootfs := t.TempDir()
	tree(t, rootfs, map[string]string{"real": "/", "link": "/real", "up": "../../../../etc"})
	mounts := []plan.ExternalMount{{Dest: "/plain/x", Source: "/a"}, {Dest: "/link/x", Source: "/b"}, {Dest: "/up/x", Source: "/c"}, {Dest: "/", Source: "/d"}}
	want := []criu.Mount{{Dest: "/plain/x", To: "/a"}, {Dest: "/real/x", To: "/b"}, {Dest: "/etc/x", To: "/c"}, {Dest: "/", To: "/d"}, {Dest: "/dev/null", To: "/dev/null"}}
	if got := restoreMounts(rootfs, mounts); !reflect.DeepEqual(got, want) {
		t.Errorf("restoring: got %v", got)
	}
	for i, m := range dumpMounts(rootfs, mounts) {
		if m.Dest != want[i].Dest || m.To != want[i].Dest {
			t.Errorf("dumping: got %v, want %s twice", m, want[i].Dest)
		}
	}
}

func TestNamespaceNames(t *testing.T) {
	own := func(name string) string { return "/proc/self/ns/" + name }
	l := &specs.Linux{Namespaces: []specs.LinuxNamespace{
		{Type: specs.NetworkNamespace, Path: own("net")}, {Type: specs.PIDNamespace}, {Type: specs.MountNamespace},
		{Type: specs.UTSNamespace, Path: own("uts")},
	}}
	net, err := os.Readlink(own("net"))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(net, ":", "", 1) + ":extRootNetNS"
	if got, err := dumpNamespaces(l); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("dumping: got %v, %v, want %s", got, err, want)
	}
	j, err := openJoined(l)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if len(j.names) != 1 || j.names[0] != "extRootNetNS" || len(j.files) != 1 || len(j.join) != 1 || j.join[0].Type != "uts" {
		t.Fatalf("restoring: got %+v", j)
	}
	a, err1 := os.Stat(j.join[0].Path)
	b, err2 := os.Stat(own("uts"))
	if err1 != nil || err2 != nil || !os.SameFile(a, b) {
		t.Errorf("%s is not the uts namespace: %v, %v", j.join[0].Path, err1, err2)
	}
}

// What is no namespace is not opened for criu, which would.
func TestJoinedRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, ns := range []specs.LinuxNamespace{
		{Type: specs.NetworkNamespace, Path: file},
		{Type: specs.IPCNamespace, Path: file},
		{Type: specs.CgroupNamespace, Path: "/proc/self/ns/cgroup"},
	} {
		if j, err := openJoined(&specs.Linux{Namespaces: []specs.LinuxNamespace{ns}}); err == nil {
			j.close()
			t.Errorf("%s %s is accepted", ns.Type, ns.Path)
		}
	}
}
