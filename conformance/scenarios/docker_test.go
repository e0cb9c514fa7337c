package scenarios

import (
	"testing"

	"github.com/davit-containers/davit/conformance/needs"
)

func beginDocker(t *testing.T, i *instance) {
	t.Helper()
	dockerd, docker := needs.Program(t, "dockerd"), needs.Program(t, "docker")
	socket := "unix://" + i.path("socket")
	i.daemon(t, dockerd, "--config-file", i.write(t, "daemon.json", "{}", 0o644), "--log-level", "warn", "--host", socket,
		"--data-root", i.path("data"), "--exec-root", i.path("exec"), "--pidfile", i.path("pid"), "--storage-driver", "overlay2",
		"--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", i.cgroup, "--bip", "10.91.0.1/16",
		"--add-runtime", "judged="+i.runtime, "--default-runtime", "judged")
	i.env = append(i.env, "DOCKER_BUILDKIT=0")
	i.command(t, "engine", docker, "--host", socket)
	image := writeImage(t, i)
	t.Cleanup(func() { i.removeContainers(t) })
	run(t, i.env, i.path("bin/engine"), "import", image, "box")
}

func TestDocker(t *testing.T) {
	both := pair(t, "docker", "runc", beginDocker)
	runAll(t, both, scenarios(t, "docker", "common", "docker"))
}
