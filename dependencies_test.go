package davit_test

import (
	"encoding/json"
	"os/exec"
	"testing"
)

// dependencies are the modules that the project imports, each with its reason.
// Outside what the project exists for, a well-kept library beats own code.
var dependencies = map[string]string{
	"github.com/checkpoint-restore/go-criu/v8": "the messages that criu, which checkpoints and restores, takes and gives",
	"github.com/containerd/cgroups/v3":         "containerd's metrics, in tests: to check our encoding of them against",
	"github.com/containerd/containerd/api":     "containerd's messages, in tests: to check ours against",
	"github.com/containerd/console":            "pseudo-terminals: raw mode, sizes, pty pairs",
	"github.com/containernetworking/cni":       "runs CNI's plugins, which make containers' networks",
	"github.com/coreos/go-systemd/v22":         "systemd's D-Bus interface, for cgroups that systemd manages",
	"github.com/cyphar/filepath-securejoin":    "paths inside a root that an attacker may be writing to (pathrs-lite)",
	"github.com/distribution/reference":        "names of images, read as Docker reads them",
	"github.com/docker/cli":                    "the credentials of docker login, and their helpers (cli/config alone)",
	"github.com/docker/go-units":               "sizes, ages and limits of the process, written and read as Docker does",
	"github.com/docker/go-connections":         "what -p says of published ports (nat)",
	"github.com/godbus/dbus/v5":                "the values of that interface",
	"github.com/google/go-containerregistry":   "images: registries, layouts, archives, and the types of their parts",
	"github.com/klauspost/compress":            "zstd",
	"github.com/klauspost/pgzip":               "gzip on several processors, the same bytes on any number of them, for layers that we write",
	"github.com/moby/buildkit":                 "the parser of Dockerfiles: frontend/dockerfile's parser, instructions and shell alone (1.9 MB in davit-shim, most of it protobuf for its errors; nothing at start)",
	"github.com/moby/patternmatcher":           "the patterns of .dockerignore and COPY --exclude, matched as Docker does",
	"github.com/moby/sys/mountinfo":            "the kernel's mount table",
	"github.com/moby/sys/signal":               "the names of signals, for --stop-signal and kill",
	"github.com/moby/sys/userns":               "whether we are in a user namespace",
	"github.com/opencontainers/cgroups":        "cgroup v1, v2 and systemd drivers: runc's and the kubelet's value conversions",
	"github.com/opencontainers/runtime-spec":   "the specification's types",
	"github.com/opencontainers/runtime-tools":  "generate: what config.json is made with",
	"github.com/pelletier/go-toml/v2":          "TOML: what containerd and podman have been told of registries",
	"github.com/rogpeppe/go-internal":          "testscript: tests of a command line as text",
	"github.com/seccomp/libseccomp-golang":     "compiles seccomp profiles, in the seccomp compiler program alone",
	"github.com/sirupsen/logrus":               "its text and json log formats are what engines parse",
	"github.com/spf13/cobra":                   "commands, completions and man pages",
	"github.com/spf13/pflag":                   "cobra's flags, for what every command shares",
	"github.com/syndtr/gocapability":           "the names of capabilities, to check those of package host against",
	"github.com/vbauerster/mpb/v8":             "progress bars on a terminal",
	"github.com/vishvananda/netlink":           "network devices",
	"github.com/vishvananda/netns":             "handles of network namespaces, as netlink takes them",
	"github.com/xi2/xz":                        "xz, for archives that are loaded, imported or added, in this process and with a bound on memory",
	"golang.org/x/sync":                        "goroutines that end with the first error",
	"golang.org/x/sys":                         "system calls and their constants",
	"google.golang.org/protobuf":               "protowire: the encoding of shim messages; the rest of it in tests alone",
}

func TestDependenciesAreListed(t *testing.T) {
	required := directRequirements(t)
	for module := range required {
		if dependencies[module] == "" {
			t.Errorf("go.mod requires %s, which has no reason here: if the standard library or a module already listed will do, use that; "+
				"otherwise add one line to dependencies in dependencies_test.go that says what it is for", module)
		}
	}
	for module := range dependencies {
		if !required[module] {
			t.Errorf("%s is listed here, and no direct requirement of go.mod: run `go mod tidy`, or remove its line from dependencies_test.go", module)
		}
	}
}

// directRequirements are the modules that go.mod requires for our own imports.
func directRequirements(t *testing.T) map[string]bool {
	t.Helper()
	out, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatalf("reading go.mod: %v", err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatalf("reading go.mod: %v", err)
	}
	direct := map[string]bool{}
	for _, r := range mod.Require {
		if !r.Indirect {
			direct[r.Path] = true
		}
	}
	return direct
}
