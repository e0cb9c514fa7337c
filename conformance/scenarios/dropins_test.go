package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-containers/davit/conformance/needs"
)

// dropIns is the folder of the files that make davit known to engines.
const dropIns = "../../contrib/engines"

// beginInstalled is an instance of an engine where the judged runtime is
// /usr/local/bin/davit, as drop-ins say.
func beginInstalled(t *testing.T, engine string) *instance {
	t.Helper()
	needs.Root(t, "an engine is started, with namespaces and cgroups of its own")
	i := newInstance(t, engine+"-drop-in", "davit", os.Getenv("DAVIT_ENGINES_RUNTIME"))
	t.Cleanup(func() { lookForResidue(t, []*instance{i}) })
	writeBelow(t, "/usr/local/bin", "davit", []byte(read(t, i.runtime)))
	return i
}

// TestPodmanDropIn reads containers.conf as the machine's.
func TestPodmanDropIn(t *testing.T) {
	i := beginInstalled(t, "podman")
	const conf = "/etc/containers/containers.conf.d"
	writeBelow(t, conf, "davit.conf", []byte(read(t, filepath.Join(dropIns, "containers.conf"))))
	writeBelow(t, conf, "machine.conf", fmt.Appendf(nil, podmanConfiguration, i.path("cni")))
	t.Cleanup(func() { os.RemoveAll(conf) })
	i.command(t, "engine", needs.Program(t, "podman"), "--root", i.path("root"), "--runroot", i.path("run"), "--tmpdir", i.path("libpod"),
		"--storage-driver", "overlay", "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime", "davit")
	run(t, i.env, i.path("bin/engine"), "import", writeImage(t, i), "box")
	got := run(t, i.env, i.path("bin/engine"), "run", "--name", "box", "--cgroup-parent", i.cgroup, "box", "echo", "by davit")
	got += run(t, i.env, i.path("bin/engine"), "inspect", "--format", "{{.OCIRuntime}}", "box")
	got += run(t, i.env, i.path("bin/engine"), "run", "--rm", "--cgroups", "disabled", "box", "echo", "without a cgroup")
	if want := "by davit\ndavit\nwithout a cgroup\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	run(t, i.env, i.path("bin/engine"), "rm", "box")
}

// TestDockerDropIn starts Docker with daemon.json.
func TestDockerDropIn(t *testing.T) {
	i := beginInstalled(t, "docker")
	i.daemon(t, needs.Program(t, "dockerd"), "--config-file", filepath.Join(dropIns, "daemon.json"), "--log-level", "warn", "--host", "unix://"+i.path("socket"),
		"--data-root", i.path("data"), "--exec-root", i.path("exec"), "--pidfile", i.path("pid"), "--storage-driver", "overlay2",
		"--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", i.cgroup, "--bip", "10.91.0.1/16")
	i.command(t, "engine", needs.Program(t, "docker"), "--host", "unix://"+i.path("socket"))
	run(t, i.env, i.path("bin/engine"), "import", writeImage(t, i), "box")
	got := run(t, i.env, i.path("bin/engine"), "run", "--name", "box", "--runtime", "davit", "box", "echo", "by davit")
	got += run(t, i.env, i.path("bin/engine"), "inspect", "--format", "{{.HostConfig.Runtime}}", "box")
	if want := "by davit\ndavit\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	run(t, i.env, i.path("bin/engine"), "rm", "box")
}

// TestContainerdDropIns has containerd read its drop-ins, by an import, and say
// what it knows then.
func TestContainerdDropIns(t *testing.T) {
	i := beginInstalled(t, "containerd")
	containerd := needs.Program(t, "containerd")
	for name, wanted := range map[string][]string{
		"containerd-1.toml":    {`containerd.runtimes.davit]`, `runtime_type = "io.containerd.davit.v2"`},
		"containerd-runc.toml": {`containerd.runtimes.davit]`, `BinaryName = "/usr/local/bin/davit"`},
	} {
		path, err := filepath.Abs(filepath.Join(dropIns, name))
		if err != nil {
			t.Fatal(err)
		}
		config := i.write(t, "config.toml", fmt.Sprintf("version = 2\nimports = [%q]\n", path), 0o644)
		got := run(t, i.env, containerd, "--config", config, "config", "dump")
		for _, want := range wanted {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in:\n%s", name, want, got)
			}
		}
	}
}
