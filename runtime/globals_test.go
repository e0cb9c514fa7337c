package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/davit-containers/davit/libcontainer"
)

func TestGlobals(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		args    []string
		err     string
		root    string
		cgroups libcontainer.CgroupDriver
	}{
		{name: "root", args: []string{"--root", "/run/x"}, root: "/run/x"},
		{name: "root is made absolute", args: []string{"--root=state"}, root: filepath.Join(wd, "state")},
		{name: "root is cleaned", args: []string{"--root", "/run/../run/x/"}, root: "/run/x"},
		{name: "root is /", args: []string{"--root", "/"}, err: "Option --root argument should not be set to /"},
		{name: "root comes down to /", args: []string{"--root", "/run/.."}, err: "Option --root argument should not be set to /"},
		{name: "log format", args: []string{"--log-format", "xml"}, err: "invalid log-format: xml [it is text or json]"},
		{name: "log level", args: []string{"--log-level", "trace"}, err: "invalid log-level: trace [it is error, warning or debug]"},
		{name: "cgroup manager", args: []string{"--cgroup-manager", "docker"}, err: "invalid cgroup-manager: docker [it is cgroupfs, systemd or disabled]"},
		{name: "rootless", args: []string{"--rootless", "maybe"}, err: "invalid rootless: maybe [it is true, false or auto]"},
		{name: "rootless auto in capitals", args: []string{"--rootless", "AUTO"}},
		{name: "default driver", cgroups: libcontainer.Cgroupfs},
		{name: "systemd", args: []string{"--systemd-cgroup"}, cgroups: libcontainer.Systemd},
		{name: "systemd by manager", args: []string{"--cgroup-manager=systemd"}, cgroups: libcontainer.Systemd},
		{name: "systemd twice", args: []string{"--cgroup-manager=systemd", "--systemd-cgroup"}, cgroups: libcontainer.Systemd},
		{name: "disabled", args: []string{"--cgroup-manager=disabled"}, cgroups: libcontainer.CgroupDisabled},
		{
			name: "contradiction", args: []string{"--cgroup-manager=disabled", "--systemd-cgroup"},
			err: "--systemd-cgroup contradicts --cgroup-manager disabled",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var g globals
			fs := g.flags("davit")
			if err := fs.Parse(tt.args); err != nil {
				t.Fatal(err)
			}
			if text := errorText(g.check(fs)); text != tt.err {
				t.Fatalf("got error %q, want %q", text, tt.err)
			}
			if tt.root != "" && g.root != tt.root {
				t.Errorf("got root %s, want %s", g.root, tt.root)
			}
			if tt.cgroups != "" && g.cgroups() != tt.cgroups {
				t.Errorf("got driver %s, want %s", g.cgroups(), tt.cgroups)
			}
		})
	}
}

func TestGlobalsStopAtCommand(t *testing.T) {
	var g globals
	fs := g.flags("davit")
	if err := fs.Parse([]string{"--root", "/run/x", "state", "--root", "id"}); err != nil {
		t.Fatal(err)
	}
	if got := fs.Args(); len(got) != 3 || got[0] != "state" {
		t.Errorf("got %q after the global flags", got)
	}
}

func TestRootlessMode(t *testing.T) {
	tests := []struct {
		value string
		want  libcontainer.Rootless
	}{
		{"auto", libcontainer.RootlessAuto},
		{"", libcontainer.RootlessAuto},
		{"true", libcontainer.RootlessYes},
		{"1", libcontainer.RootlessYes},
		{"false", libcontainer.RootlessNo},
		{"F", libcontainer.RootlessNo},
	}
	for _, tt := range tests {
		t.Run(tt.value, func(t *testing.T) {
			got, err := (&globals{rootless: tt.value}).rootlessMode()
			if err != nil || got != tt.want {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestDefaultRoot(t *testing.T) {
	none := func(string) string { return "" }
	if got := defaultRoot(none); got != "/run/davit" {
		t.Errorf("without $XDG_RUNTIME_DIR: got %s", got)
	}
	user := func(name string) string {
		return map[string]string{"XDG_RUNTIME_DIR": "/run/user/1", "USER": "root"}[name]
	}
	want := "/run/user/1/davit"
	if os.Geteuid() == 0 {
		want = "/run/davit"
	}
	if got := defaultRoot(user); got != want {
		t.Errorf("with $XDG_RUNTIME_DIR as uid %d: got %s, want %s", os.Geteuid(), got, want)
	}
}

func TestListenFDs(t *testing.T) {
	tests := []struct {
		name     string
		pid, fds string
		want     int
	}{
		{"none", "", "", 0},
		{"for this process", "42", "3", 3},
		{"for another process", "43", "3", 0},
		{"not a number", "42", "x", 0},
		{"negative", "42", "-1", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env := map[string]string{"LISTEN_PID": tt.pid, "LISTEN_FDS": tt.fds}
			if got := listenFDs(func(name string) string { return env[name] }, 42); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}
