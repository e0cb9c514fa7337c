package config

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/bundle/config/users"
)

var update = flag.Bool("update", false, "write testdata anew")

// debian is the machine of the tests: cgroup v2, two processors, all capabilities.
var debian = Facts{Arch: "amd64", Kernel: [2]int{6, 1}, Cgroup2: true, CPUs: 2, LastCapability: 40}

func anImage() *v1.ConfigFile {
	return &v1.ConfigFile{
		Architecture: "amd64", OS: "linux", Author: "somebody",
		Created: v1.Time{Time: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)},
		Config: v1.Config{
			Entrypoint: []string{"/bin/app"}, Cmd: []string{"serve", "--port", "80"},
			Env: []string{"PATH=/app:/bin", "LANG=C.UTF-8"}, WorkingDir: "/srv//app/", User: "app",
			StopSignal: "SIGQUIT", ExposedPorts: map[string]struct{}{"80/tcp": {}, "443": {}},
			Volumes: map[string]struct{}{"/data": {}, "/../../etc": {}, "cache/": {}},
			Labels:  hostileLabels(),
		},
	}
}

// hostileLabels are keys on which runtimes act when they are annotations.
func hostileLabels() map[string]string {
	return map[string]string{
		"org.systemd.property.ExecStartPre":    "'/bin/evil'",
		"org.criu.config":                      "/evil",
		"run.oci.hooks.stdout":                 "/evil",
		"run.oci.keep_original_groups":         "1",
		"io.kubernetes.cri-o.UnifiedCgroup":    "memory.max=max",
		"org.opencontainers.image.os":          "evil",
		"org.opencontainers.image.stopSignal":  "SIGKILL",
		"cdi.k8s.io/x":                         "vendor.com/device=evil",
		"io.podman.annotations.privileged":     "TRUE",
		"org.opencontainers.runc.exeseal.test": "1",
	}
}

func app() users.Identity {
	return users.Identity{UID: 1000, GID: 1001, Groups: []uint32{1001, 29}, Name: "app", Home: "/home/app"}
}

func make1(t *testing.T, o Options, f Facts) *Result {
	t.Helper()
	r, err := New(anImage(), app(), o, f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func number[T any](n T) *T { return &n }

func TestGolden(t *testing.T) {
	maps := func(size uint32) []specs.LinuxIDMapping {
		return []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: size}}
	}
	tests := []struct {
		name  string
		o     Options
		facts Facts
	}{
		{"image", Options{}, debian},
		{"cgroup1", Options{}, Facts{Arch: "arm64", CPUs: 1, LastCapability: 40}},
		{"process", Options{
			Entrypoint: []string{"/bin/sh"}, Command: []string{"-c", "id"}, Env: []string{"LANG", "A=b", "PATH=/bin"}, Cwd: "/tmp",
			Terminal: true, CapAdd: []string{"net_admin"}, CapDrop: []string{"CAP_CHOWN"}, NoNewPrivileges: true, Hostname: "box",
			Domainname: "example.org", OOMScoreAdj: number(500), StopSignal: "term",
			Rlimits:         []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 10, Hard: 20}},
			ApparmorProfile: "davit-default", SelinuxLabel: "system_u:system_r:container_t:s0",
		}, debian},
		{"files", Options{
			Root: "/var/lib/root", ReadOnly: true, ShmSize: 1 << 20,
			Mounts: []specs.Mount{
				{Destination: "/data/deep/er", Type: "bind", Source: "/b", Options: []string{"rbind", "ro"}},
				{Destination: "/data/", Type: "tmpfs", Source: "tmpfs"},
				{Destination: "/dev/mqueue", Type: "tmpfs", Source: "tmpfs"},
			},
			Devices:     []Device{{LinuxDevice: specs.LinuxDevice{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229}, Access: "rw"}},
			DeviceRules: []specs.LinuxDeviceCgroup{{Allow: true, Type: "b", Access: "m"}},
		}, debian},
		{"hosts", Options{Namespaces: map[specs.LinuxNamespaceType]Namespace{
			specs.NetworkNamespace: {Host: true}, specs.PIDNamespace: {Path: "/proc/7/ns/pid"}, specs.IPCNamespace: {Host: true},
			specs.UTSNamespace: {Host: true}, specs.CgroupNamespace: {Host: true},
		}}, debian},
		{"userns", Options{UIDMappings: maps(65536), GIDMappings: maps(65536)}, debian},
		{"userns-single-shared", Options{UIDMappings: maps(1), GIDMappings: maps(1), Namespaces: map[specs.LinuxNamespaceType]Namespace{
			specs.NetworkNamespace: {Host: true}, specs.PIDNamespace: {Host: true}, specs.IPCNamespace: {Host: true},
		}}, debian},
		{"privileged", Options{Privileged: true}, debian},
		{"rootless-single", Options{Rootless: true, UIDMappings: maps(1), GIDMappings: maps(1)}, debian},
		{"rootless", Options{Rootless: true, UIDMappings: maps(65536), GIDMappings: maps(65536)}, debian},
		{"resources", Options{
			CgroupsPath: "/box", Sysctl: map[string]string{"net.core.somaxconn": "9", "kernel.shmmax": "1", "net.ipv4.ip_unprivileged_port_start": "1024"},
			Annotations: map[string]string{"run.oci.keep_original_groups": "1"},
			Resources:   specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: number(int64(1 << 20))}, Pids: &specs.LinuxPids{Limit: number(int64(9))}},
		}, debian},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := make1(t, tt.o, tt.facts)
			golden(t, tt.name, r)
			for _, c := range [][]string{r.Spec.Process.Capabilities.Inheritable, r.Spec.Process.Capabilities.Ambient} {
				if len(c) > 0 {
					t.Errorf("capabilities that execve(2) passes on: %v", c)
				}
			}
		})
	}
}

// golden compares a result with a file. The seccomp profile has tests of its own.
func golden(t *testing.T, name string, r *Result) {
	t.Helper()
	if s := r.Spec.Linux.Seccomp; s != nil {
		r.Spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: s.DefaultAction, Architectures: s.Architectures}
	}
	got, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got)+"\n" != string(want) {
		t.Errorf("%s: got\n%s", file, got)
	}
}

func TestArgs(t *testing.T) {
	tests := []struct {
		name            string
		image           v1.Config
		entrypoint, cmd []string
		want            string
	}{
		{"image's", v1.Config{Entrypoint: []string{"e"}, Cmd: []string{"c"}}, nil, nil, "e c"},
		{"command", v1.Config{Entrypoint: []string{"e"}, Cmd: []string{"c"}}, nil, []string{"x", "y"}, "e x y"},
		{"entrypoint drops the image's command", v1.Config{Entrypoint: []string{"e"}, Cmd: []string{"c"}}, []string{"f"}, nil, "f"},
		{"both", v1.Config{Entrypoint: []string{"e"}, Cmd: []string{"c"}}, []string{"f"}, []string{"x"}, "f x"},
		{"no entrypoint", v1.Config{Entrypoint: []string{"e"}, Cmd: []string{"c"}}, []string{""}, []string{"x"}, "x"},
		{"no entrypoint and no command", v1.Config{Entrypoint: []string{"e"}, Cmd: []string{"c"}}, []string{""}, nil, ""},
		{"nothing", v1.Config{}, nil, nil, ""},
		{"command alone", v1.Config{Cmd: []string{"sh"}}, nil, nil, "sh"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := New(&v1.ConfigFile{Config: tt.image}, users.Identity{}, Options{Entrypoint: tt.entrypoint, Command: tt.cmd}, debian)
			if tt.want == "" {
				if err == nil || !strings.Contains(err.Error(), ErrNoCommand.Error()) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil || strings.Join(r.Spec.Process.Args, " ") != tt.want {
				t.Errorf("got %v, %v, want %s", r, err, tt.want)
			}
		})
	}
}

// TestLabelsStayInTheImage: no label has any effect at all.
func TestLabelsStayInTheImage(t *testing.T) {
	with := make1(t, Options{}, debian)
	bare := anImage()
	bare.Config.Labels = nil
	without, err := New(bare, app(), Options{}, debian)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(with)
	b, _ := json.Marshal(without)
	if string(a) != string(b) {
		t.Errorf("with labels\n%s\nwithout\n%s", a, b)
	}
	if with.Spec.Annotations["org.opencontainers.image.stopSignal"] != "SIGQUIT" {
		t.Errorf("annotations: %v", with.Spec.Annotations)
	}
}

func TestVolumes(t *testing.T) {
	r := make1(t, Options{Mounts: []specs.Mount{{Destination: "/data", Type: "tmpfs", Source: "tmpfs"}}}, debian)
	if want := []string{"/etc", "/cache"}; !slices.Equal(r.Volumes, want) {
		t.Errorf("got %v, want %v", r.Volumes, want)
	}
}

func TestCapabilities(t *testing.T) {
	tests := []struct {
		name      string
		add, drop []string
		last      int
		want      int
		has, not  string
	}{
		{"default", nil, nil, 40, 14, "CAP_CHOWN", "CAP_SYS_ADMIN"},
		{"all", []string{"ALL"}, nil, 40, 41, "CAP_CHECKPOINT_RESTORE", ""},
		{"all of an older kernel", []string{"all"}, nil, 37, 38, "CAP_AUDIT_READ", "CAP_BPF"},
		{"all but one", []string{"ALL"}, []string{"SYS_ADMIN"}, 40, 40, "CAP_BPF", "CAP_SYS_ADMIN"},
		{"none", nil, []string{"ALL"}, 40, 0, "", "CAP_CHOWN"},
		{"one", []string{"cap_kill"}, []string{"all"}, 40, 1, "CAP_KILL", "CAP_CHOWN"},
		{"added and dropped", []string{"kill"}, []string{"kill"}, 40, 14, "CAP_KILL", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := debian
			f.LastCapability = tt.last
			r := make1(t, Options{CapAdd: tt.add, CapDrop: tt.drop}, f)
			got := r.Spec.Process.Capabilities.Bounding
			if len(got) != tt.want || tt.has != "" && !slices.Contains(got, tt.has) || slices.Contains(got, tt.not) {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestSeccomp(t *testing.T) {
	profile := []byte(`{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_BPF"], "minKernel": "6.1"}}]}`)
	for _, tt := range []struct {
		name string
		o    Options
		want specs.LinuxSeccompAction
	}{
		{"default", Options{}, specs.ActErrno},
		{"none", Options{Seccomp: Seccomp{Unconfined: true}}, ""},
		{"privileged", Options{Privileged: true}, ""},
		{"another", Options{CapAdd: []string{"BPF"}, Seccomp: Seccomp{Profile: profile}}, specs.ActLog},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := make1(t, tt.o, debian).Spec.Linux.Seccomp
			if got == nil && tt.want == "" {
				return
			}
			if got == nil || got.DefaultAction != tt.want || tt.want == specs.ActLog && len(got.Syscalls) != 1 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestStopSignal(t *testing.T) {
	for text, want := range map[string]string{
		"15": "SIGTERM", "term": "SIGTERM", "SIGKILL": "SIGKILL", "sigusr1": "SIGUSR1", "SIGRTMIN": "34", "RTMIN+3": "37",
		"SIGRTMAX": "64", "SIGRTMAX-1": "63", "64": "64",
		"0": "", "65": "", "-1": "", "SIGRTMIN+31": "", "SIGRTMIN-1": "", "SIGX": "", "SIGRTMAX-31": "", "33": "", "SIGRTMIN+": "", "9 ": "",
	} {
		got, err := signalName(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
}

// TestRefused: what cannot be is an error of one line that names it.
func TestRefused(t *testing.T) {
	host := func(kind specs.LinuxNamespaceType) map[specs.LinuxNamespaceType]Namespace {
		return map[specs.LinuxNamespaceType]Namespace{kind: {Host: true}}
	}
	on := func(dest string) Options { return Options{Mounts: []specs.Mount{{Destination: dest}}} }
	sysctl := func(name, value string) Options { return Options{Sysctl: map[string]string{name: value}} }
	tests := []struct {
		name string
		o    Options
		want string
	}{
		{"relative directory", Options{Cwd: "tmp"}, `working directory "tmp"`},
		{"variable without a name", Options{Env: []string{"=x"}}, `variable "=x"`},
		{"variable with NUL", Options{Env: []string{"A=\x00"}}, "NUL"},
		{"argument with NUL", Options{Command: []string{"\x00"}}, "NUL"},
		{"capability", Options{CapAdd: []string{"FLY"}}, `capability "FLY"`},
		{"dropped capability", Options{CapDrop: []string{"FLY"}}, `capability "FLY"`},
		{"relative mount", on("x"), `mount on "x"`},
		{"mount on the root", on("/x/.."), "can't be '/'"},
		{"mount with NUL", on("/\x00"), "NUL"},
		{"two mounts", Options{Mounts: []specs.Mount{{Destination: "/a"}, {Destination: "/a/"}}}, "twice"},
		{"sysctl of the host", sysctl("kernel.core_pattern", "|/evil"), "core_pattern"},
		{"sysctl behind another", sysctl("kernel.shm_rmid_forced=1+kernel.core_pattern", "x"), "core_pattern"},
		{"sysctl up and down", sysctl("net/../kernel/core_pattern", "x"), "core_pattern"},
		{"sysctl up and down by dots", sysctl("net...kernel.core_pattern", "x"), "core_pattern"},
		{"sysctl of two lines", sysctl("net.core.somaxconn", "1\n2"), "not one line"},
		{"sysctl of the host's network", Options{Namespaces: host(specs.NetworkNamespace), Sysctl: map[string]string{"net.core.somaxconn": "1"}}, "the host's"},
		{"sysctl of the host's ipc", Options{Namespaces: host(specs.IPCNamespace), Sysctl: map[string]string{"kernel.sem": "1"}}, "the host's"},
		{"hostname of the host's", Options{Namespaces: host(specs.UTSNamespace), Hostname: "x"}, "shared"},
		{"long hostname", Options{Hostname: strings.Repeat("x", 65)}, "longer"},
		{"host's mounts", Options{Namespaces: host(specs.MountNamespace)}, "mount namespace"},
		{"limits", Options{Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Soft: 2, Hard: 1}}}, "RLIMIT_CORE"},
		{"device access", Options{Devices: []Device{{LinuxDevice: specs.LinuxDevice{Path: "/dev/x"}, Access: "x"}}}, "/dev/x"},
		{"signal", Options{StopSignal: "SIGX"}, `stop signal "SIGX"`},
		{"profile", Options{Seccomp: Seccomp{Profile: []byte("{}")}}, "defaultAction"},
		{"annotation", Options{Annotations: map[string]string{"": "x"}}, "annotation"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(anImage(), app(), tt.o, debian)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("got %v, want one that has %q", err, tt.want)
			}
		})
	}
}

// FuzzImage: whatever an image says, the configuration keeps within bounds.
func FuzzImage(f *testing.F) {
	seed, err := json.Marshal(anImage())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		var image v1.ConfigFile
		if json.Unmarshal(data, &image) != nil {
			return
		}
		r, err := New(&image, users.Identity{}, Options{}, debian)
		if err != nil {
			return
		}
		if !strings.HasPrefix(r.Spec.Process.Cwd, "/") || strings.Contains(r.Spec.Process.Cwd+"/", "/../") {
			t.Errorf("working directory %q", r.Spec.Process.Cwd)
		}
		for _, v := range r.Volumes {
			if !strings.HasPrefix(v, "/") || strings.Contains(v+"/", "/../") {
				t.Errorf("volume %q", v)
			}
		}
		for key := range r.Spec.Annotations {
			if !strings.HasPrefix(key, "org.opencontainers.image.") {
				t.Errorf("annotation %q", key)
			}
		}
		if len(r.Spec.Mounts) != 7 || r.Spec.Hooks != nil || len(r.Spec.Linux.Namespaces) != 6 {
			t.Errorf("the image chose mounts, hooks or namespaces: %+v", r.Spec)
		}
	})
}
