package engines

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDocker(t *testing.T) {
	programs := needs(t, "dockerd", "docker", "containerd", "runc")
	dir := t.TempDir()
	config := filepath.Join(dir, "daemon.json")
	if err := os.WriteFile(config, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := "unix://" + dir + "/s"
	e := &engine{t: t, dir: dir, client: []string{"docker", "--host", socket}}
	e.serve([]string{"version"}, "dockerd", "--config-file", config, "--host", socket, "--data-root", dir+"/data", "--exec-root", dir+"/exec",
		"--pidfile", dir+"/pid", "--storage-driver", "vfs", "--exec-opt", "native.cgroupdriver=cgroupfs",
		"--bridge", "none", "--iptables=false", "--add-runtime", "davit="+filepath.Join(programs, "davit"), "--default-runtime", "davit")
	defer e.stop()
	archive := filepath.Join(dir, "layer.tar")
	if err := os.WriteFile(archive, layer(t), 0o600); err != nil {
		t.Fatal(err)
	}
	e.must(0, "", "import", archive, "box")
	lives(e)
	e.must(137, "", "run", "--name", "hog", "--network", "none", "--memory", "32m", "box", "/bin/sh", "-c", hog)
	e.must(0, "true 137 davit", "inspect", "--format", "{{.State.OOMKilled}} {{.State.ExitCode}} {{.HostConfig.Runtime}}", "hog")
	e.must(0, "", "rm", "hog")
}
