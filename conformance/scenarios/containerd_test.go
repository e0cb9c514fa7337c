package scenarios

import (
	"fmt"
	"testing"

	"github.com/davit-containers/davit/conformance/needs"
)

// containerdConfiguration keeps containerd to its folders.
const containerdConfiguration = `version = 2
root = "%[1]s/root"
state = "%[1]s/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "%[1]s/socket"
[debug]
  level = "warn"
`

// ctrWithRuntime is ctr with the instance's runtime for what it runs.
const ctrWithRuntime = `#!/bin/sh
command=$1
shift
case $command in
run) exec ctr run --runtime io.containerd.runc.v2 --runc-binary "$ENGINE_RUNTIME" "$@" ;;
*) exec ctr "$command" "$@" ;;
esac
`

func beginContainerd(t *testing.T, i *instance) {
	t.Helper()
	containerd, ctr := needs.Program(t, "containerd"), needs.Program(t, "ctr")
	i.daemon(t, containerd, "--config", i.write(t, "config.toml", fmt.Sprintf(containerdConfiguration, i.dir), 0o644))
	// The name of containerd's namespace is that of its containers' cgroups.
	i.cgroup = "/" + i.token + "-" + i.name
	i.command(t, "ctr", ctr, "--address", i.path("socket"), "--namespace", i.cgroup[1:])
	i.write(t, "bin/engine", ctrWithRuntime, 0o755)
	run(t, i.env, i.path("bin/ctr"), "images", "import", writeArchive(t, i))
	t.Cleanup(func() {
		if left := run(t, i.env, i.path("bin/ctr"), "containers", "ls", "--quiet"); left != "" {
			t.Errorf("containers are left with %s:\n%s", i.name, left)
		}
	})
}

func TestContainerd(t *testing.T) {
	both := pair(t, "containerd", "runc", beginContainerd)
	runAll(t, both, scenarios(t, "containerd", "containerd"))
}
