package options

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// parse is what a command line says.
func parse(t *testing.T, args ...string) (*Wanted, error) {
	t.Helper()
	var f Flags
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	f.Add(fs)
	f.AddNetwork(fs)
	f.AddCgroupsPath(fs)
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	return f.Wanted(fs.Args())
}

// field is a value of what is wanted, as JSON; a path such as Resources.memory.limit.
func field(t *testing.T, w *Wanted, path string) string {
	t.Helper()
	data, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(path, ".") {
		m, _ := value.(map[string]any)
		value = m[name]
	}
	text, _ := json.Marshal(value)
	return string(text)
}

func TestFlags(t *testing.T) {
	t.Setenv("DAVIT_TEST", "from the caller")
	dir := t.TempDir()
	file := filepath.Join(dir, "env")
	if err := os.WriteFile(file, []byte("# comment\n  A=1\nDAVIT_TEST\nB=x # y\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	profile := filepath.Join(dir, "seccomp.json")
	if err := os.WriteFile(profile, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ args, path, want string }{
		{"", "Entrypoint", "null"},
		{"--entrypoint=", "Entrypoint", `[""]`},
		{"--entrypoint sh", "Entrypoint", `["sh"]`},
		{"-- a -b", "Command", `["a","-b"]`},
		{"-e A=b=c -e DAVIT_TEST -e DAVIT_NOT_SET", "Env", `["A=b=c","DAVIT_TEST=from the caller","DAVIT_NOT_SET"]`},
		{"--env-file " + file + " -e A=2", "Env", `["A=1","DAVIT_TEST=from the caller","B=x # y","A=2"]`},
		{"-w /x -t --read-only", "Cwd", `"/x"`},
		{"--ulimit nofile=1024:2048", "Rlimits", `[{"type":"RLIMIT_NOFILE","hard":2048,"soft":1024}]`},
		{"--oom-score-adj 7", "OOMScoreAdj", "7"},
		{"--sysctl net.a=1 --sysctl net.b=x=y", "Sysctl", `{"net.a":"1","net.b":"x=y"}`},
		{"--annotation a=b", "Annotations", `{"a":"b"}`},

		{"-v /a:/b", "Mounts", `[{"destination":"/b","type":"bind","source":"/a","options":["rbind","rprivate"]}]`},
		{"-v /a:/b:ro,z,rshared", "Mounts", `[{"destination":"/b","type":"bind","source":"/a","options":["rbind","ro","rshared"]}]`},
		{"-v /a:/b", "Sources", `["/a"]`},
		{"-v data:/b:ro,nocopy", "Volumes", `[{"Name":"data","Destination":"/b","ReadOnly":true,"NoCopy":true}]`},
		{"-v /b", "Volumes", `[{"Name":"","Destination":"/b","ReadOnly":false,"NoCopy":false}]`},
		{"--mount type=bind,src=/a,dst=/b,ro,bind-propagation=slave", "Mounts", `[{"destination":"/b","type":"bind","source":"/a","options":["rbind","slave","ro"]}]`},
		{"--mount type=bind,source=/a,target=/b,readonly=false", "Sources", "null"},
		{"--mount type=tmpfs,destination=/t,tmpfs-size=1m,tmpfs-mode=1770", "Mounts", `[{"destination":"/t","type":"tmpfs","source":"tmpfs","options":["noexec","nosuid","nodev","size=1048576","mode=1770"]}]`},
		{"--mount source=v,target=/t,ro", "Volumes", `[{"Name":"v","Destination":"/t","ReadOnly":true,"NoCopy":false}]`},
		{"--tmpfs /run:size=1m,exec", "Mounts", `[{"destination":"/run","type":"tmpfs","source":"tmpfs","options":["noexec","nosuid","nodev","size=1m","exec"]}]`},
		{"--shm-size 1g", "ShmSize", "1073741824"},

		{"--network host --pid ns:/proc/1/ns/pid", "Namespaces", `{"network":{"Host":true,"Path":""},"pid":{"Host":false,"Path":"/proc/1/ns/pid"}}`},
		{"--cgroupns private", "Namespaces", `{"cgroup":{"Host":false,"Path":""}}`},
		{"--uidmap 0:100000:65536", "GIDMappings", `[{"containerID":0,"hostID":100000,"size":65536}]`},
		{"--gidmap 0:1:1 --gidmap 1:100000:65535 --uidmap 0:7:1", "UIDMappings", `[{"containerID":0,"hostID":7,"size":1}]`},

		{"--security-opt no-new-privileges", "NoNewPrivileges", "true"},
		{"--security-opt no-new-privileges:false", "NoNewPrivileges", "false"},
		{"--security-opt seccomp=unconfined", "Seccomp.Unconfined", "true"},
		{"--security-opt seccomp=" + profile, "Seccomp.Profile", `"e30="`},
		{"--security-opt apparmor=x --security-opt label=u:r:t:s0:c1", "SelinuxLabel", `"u:r:t:s0:c1"`},
		{"--security-opt systempaths=unconfined", "Unmasked", "true"},
		{"--cap-add a --cap-add b", "CapAdd", `["a","b"]`},

		{"-m 1m", "Resources.memory", `{"limit":1048576,"swap":2097152}`},
		{"-m 1m --memory-swap 1m", "Resources.memory", `{"limit":1048576,"swap":1048576}`},
		{"-m 1m --memory-swap -1", "Resources.memory.swap", "-1"},
		{"--memory-swappiness 0", "Resources.memory", `{"swappiness":0}`},
		{"--cpus 1.5", "Resources.cpu", `{"quota":150000,"period":100000}`},
		{"-c 512 --cpuset-cpus 0-1", "Resources.cpu", `{"shares":512,"cpus":"0-1"}`},
		{"--pids-limit -1", "Resources.pids", `{"limit":-1}`},
		{"--pids-limit 5", "Resources.pids", `{"limit":5}`},
		{"--blkio-weight 10", "Resources.blockIO", `{"weight":10}`},
		{"--cgroups-path /x", "CgroupsPath", `"/x"`},
		{"", "Resources", "{}"},
	}
	for _, tt := range tests {
		t.Run(tt.args+" "+tt.path, func(t *testing.T) {
			w, err := parse(t, strings.Fields(tt.args)...)
			if err != nil {
				t.Fatal(err)
			}
			var want any
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			sorted, _ := json.Marshal(want)
			if got := field(t, w, tt.path); got != string(sorted) {
				t.Errorf("got %s, want %s", got, sorted)
			}
		})
	}
}

func TestRefusedFlags(t *testing.T) {
	dir := t.TempDir()
	spaces := filepath.Join(dir, "spaces")
	if err := os.WriteFile(spaces, []byte("A B=c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ args, want string }{
		{"--env-file " + dir + "/none", "no such file"},
		{"--env-file " + spaces, "whitespaces"},
		{"--sysctl a", "NAME=VALUE"},
		{"--annotation =b", "NAME=VALUE"},
		{"--ulimit x=1", "ulimit"},
		{"--ulimit core=2:1", "ulimit"},
		{"-v /a:/b:ro:rw", "[SOURCE:]TARGET"},
		{"-v /a:", "[SOURCE:]TARGET"},
		{"-v /a:/b:fast", `no option "fast"`},
		{"-v data:/b:rshared", `no option "rshared"`},
		{"-v data:b", "absolute"},
		{"--mount type=bind,target=/b", "source"},
		{"--mount type=bind,source=/a", "target"},
		{"--mount type=npipe,target=/a", `no type "npipe"`},
		{"--mount type=tmpfs,source=/a,target=/b", "source"},
		{"--mount colour=red", `no field "colour"`},
		{"--mount type=tmpfs,target=/b,tmpfs-mode=9", "invalid syntax"},
		{"--mount type=bind,target=/b,bind-propagation=up", "propagation"},
		{"--shm-size x", "no size"},
		{"--device /dev/null:/dev/x:q", "rwm"},
		{"--device " + dir, "not a device"},
		{"--device /dev/none", "no such file"},
		{"--device-cgroup-rule c1:2r", "MAJOR"},
		{"--network bridge", "none, host, or ns:PATH"},
		{"--pid ns:relative", "container:NAME, host, or ns:PATH"},
		{"--ipc nothing", "private, shareable, none, container:NAME, host, or ns:PATH"},
		{"--uts host --hostname a", "conflicting options: hostname and the UTS mode"},
		{"--userns private", "--uidmap"},
		{"--userns host --uidmap 0:1:1", "contradict"},
		{"--uidmap 0:1", "CONTAINER:HOST:SIZE"},
		{"--uidmap 0:4294967296:1", "no id"},
		{"--gidmap 0:1:0", "size is 0"},
		{"--security-opt fast", "no such option"},
		{"--security-opt seccomp=" + dir + "/none", "no such file"},
		{"--security-opt label=x", "whole label"},
		{"--security-opt no-new-privileges=maybe", "invalid syntax"},
		{"-m x", "--memory"},
		{"--memory-swap 1m", "needs --memory"},
		{"-m 2m --memory-swap 1m", "less than"},
		{"--memory-swappiness 101", "from 0 to 100"},
		{"--cpus 0", "from 0.01"},
		{"--cpus NaN", "from 0.01"},
		{"--cpus 1 --cpu-quota 5", "contradicts"},
		{"--blkio-weight 5", "from 10"},
		{"--device-read-bps /dev/null", "DEVICE:RATE"},
		{"--device-read-bps /dev/null:1m", "not a block device"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			_, err := parse(t, strings.Fields(tt.args)...)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one that has %q", err, tt.want)
			}
		})
	}
}

func TestDevices(t *testing.T) {
	w, err := parse(t, "--device", "/dev/null:/dev/nothing:r", "--device-cgroup-rule", "c 10:* rw")
	if err != nil || len(w.Devices) != 1 || len(w.DeviceRules) != 1 {
		t.Fatalf("got %+v, %v", w, err)
	}
	d := w.Devices[0]
	if d.Path != "/dev/nothing" || d.Type != "c" || d.Major != 1 || d.Minor != 3 || d.Access != "r" || d.FileMode.Perm() == 0 {
		t.Errorf("got %+v", d)
	}
	if r := w.DeviceRules[0]; *r.Major != 10 || r.Minor != nil {
		t.Errorf("got %+v", r)
	}
	w, err = parse(t, "--device", "/dev/null:rw")
	if err != nil || w.Devices[0].Path != "/dev/null" || w.Devices[0].Access != "rw" {
		t.Errorf("got %+v, %v", w, err)
	}
}

// TestDeviceDirectory: each device in it is given.
func TestDeviceDirectory(t *testing.T) {
	needs.Root(t, "devices are made")
	dir := t.TempDir()
	for name, minor := range map[string]uint32{"a": 3, "b": 5} {
		if err := unix.Mknod(filepath.Join(dir, name), unix.S_IFCHR|0o600, int(unix.Mkdev(1, minor))); err != nil {
			t.Fatal(err)
		}
	}
	w, err := parse(t, "--device", dir+":/dev/set")
	if err != nil || len(w.Devices) != 2 || w.Devices[1].Path != "/dev/set/b" || w.Devices[1].Minor != 5 {
		t.Errorf("got %+v, %v", w, err)
	}
}

// TestPrivilegedDevices: all that the host has, but what every container has of its own.
func TestPrivilegedDevices(t *testing.T) {
	w, err := parse(t, "--privileged")
	if err != nil {
		t.Fatal(err)
	}
	null := false
	for _, d := range w.Devices {
		null = null || d.Path == "/dev/null"
		if strings.HasPrefix(d.Path, "/dev/pts/") || d.Path == "/dev/console" || d.Path == "/dev/ptmx" {
			t.Errorf("%s", d.Path)
		}
	}
	if !null {
		t.Errorf("no /dev/null among %d devices", len(w.Devices))
	}
}
