package engines

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPodman(t *testing.T) {
	programs := needs(t, "podman", "conmon")
	dir := t.TempDir()
	conf := filepath.Join(dir, "containers.conf")
	// The machine's hard limits may be lower than podman's defaults.
	if err := os.WriteFile(conf, []byte("[containers]\ndefault_ulimits=[\"nofile=1024:4096\",\"nproc=4096:4096\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := &engine{t: t, dir: dir, env: []string{"CONTAINERS_CONF=" + conf}, client: []string{
		"unshare", "--net", "podman", "--root", dir + "/root", "--runroot", dir + "/run", "--tmpdir", dir + "/tmp", "--storage-driver", "vfs",
		"--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime", filepath.Join(programs, "davit"),
	}}
	archive := filepath.Join(dir, "layer.tar")
	if err := os.WriteFile(archive, layer(t), 0o600); err != nil {
		t.Fatal(err)
	}
	e.must(0, "", "import", archive, "box")
	lives(e)
	e.must(137, "", "run", "--rm", "--network", "none", "--memory", "32m", "box", "/bin/sh", "-c", hog)
	e.must(126, "it ran out of memory", "run", "--rm", "--network", "none", "--memory", "1k", "box", "/bin/sh")
}

// hog takes all the memory there is.
const hog = "x=a; while :; do x=$x$x; done"

// lives runs containers through the commands that podman and docker share.
func lives(e *engine) {
	e.t.Helper()
	e.must(3, "hello", "run", "--rm", "--network", "none", "box", "/bin/sh", "-c", "echo hello; exit 3")
	e.must(127, "executable file not found", "run", "--rm", "--network", "none", "box", "nothing")
	e.must(0, "", "run", "-d", "--name", "one", "--network", "none", "box", "/bin/sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; done")
	e.must(4, "", "exec", "one", "/bin/sh", "-c", "exit 4")
	e.must(0, "", "restart", "-t", "10", "one")
	e.must(4, "", "exec", "one", "/bin/sh", "-c", "exit 4")
	e.must(0, "", "stop", "-t", "10", "one")
	e.must(0, "exited 5", "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "one")
	e.must(0, "", "rm", "one")
}
