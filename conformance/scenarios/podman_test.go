package scenarios

import (
	"fmt"
	"testing"

	"github.com/davit-containers/davit/conformance/needs"
)

// podmanConfiguration is the part of containers.conf that the machine decides:
// limits that can be had without CAP_SYS_RESOURCE, and plugins that are there.
const podmanConfiguration = `[containers]
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
netns = "none"
[engine]
init_path = "/usr/bin/catatonit"
[network]
network_backend = "cni"
network_config_dir = "%s"
cni_plugin_dirs = ["/usr/lib/cni"]
`

// podmanInCgroup is podman with a cgroup for what it makes, which no option before
// the command and no setting says.
const podmanInCgroup = `#!/bin/sh
command=$1
shift
case $command in
run|create) exec podman "$command" --cgroup-parent "$CGROUP" "$@" ;;
build) exec podman build --cgroup-parent "$CGROUP/build" "$@" ;; # it is the cgroup itself
*) exec podman "$command" "$@" ;;
esac
`

func beginPodman(t *testing.T, i *instance) {
	t.Helper()
	podman := needs.Program(t, "podman")
	conf := i.write(t, "containers.conf", fmt.Sprintf(podmanConfiguration, i.path("cni")), 0o644)
	i.env = append(i.env, "CONTAINERS_CONF="+conf)
	i.command(t, "podman", podman,
		"--root", i.path("root"), "--runroot", i.path("run"), "--tmpdir", i.path("libpod"), "--storage-driver", "overlay",
		"--cgroup-manager", "cgroupfs", "--events-backend", "file", "--conmon", needs.Program(t, "conmon"), "--runtime", i.runtime)
	i.write(t, "bin/engine", podmanInCgroup, 0o755)
	image := writeImage(t, i)
	t.Cleanup(func() {
		run(t, i.env, i.path("bin/engine"), "pod", "rm", "--all", "--force", "--time", "0")
		i.removeContainers(t)
	})
	run(t, i.env, i.path("bin/engine"), "import", image, "box")
}

func TestPodman(t *testing.T) {
	both := pair(t, "podman", "crun", beginPodman)
	runAll(t, both, scenarios(t, "podman", "common", "podman"))
}
