package transports

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// distribution is Debian's docker-registry, on loopback.
type distribution struct {
	testing.TB
	host, config string
	cmd          *exec.Cmd
}

// registry is a running one that keeps what it has in a directory.
func (l *lab) registry(dir string) *distribution {
	l.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	l.must(err)
	d := &distribution{TB: l.T, host: free.Addr().String(), config: filepath.Join(dir, "registry.yml")}
	l.must(free.Close())
	text := fmt.Sprintf("version: 0.1\nlog: {accesslog: {disabled: true}, level: error}\nstorage: {filesystem: {rootdirectory: %s/registry}}\nhttp: {addr: %q}\n", dir, d.host)
	l.must(os.WriteFile(d.config, []byte(text), 0o600))
	d.start()
	return d
}

// start runs the registry, and waits until it answers.
func (d *distribution) start() {
	d.cmd = exec.Command("docker-registry", "serve", d.config)
	if err := d.cmd.Start(); err != nil {
		d.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if c, err := net.Dial("tcp", d.host); err == nil {
			c.Close()
			return
		}
	}
	d.Fatal("docker-registry does not answer")
}

func (d *distribution) stop() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

// takeFromRegistry pulls from a registry that is killed when something has come, and
// started again.
func takeFromRegistry(l *lab, dir, from, _ string) {
	d := l.registry(dir)
	defer func() { d.stop() }()
	l.skopeo(from, "docker://"+d.host+"/some/image:1")
	cmd := exec.CommandContext(l.Context(), l.program, "--root", dir+"/store", "pull", "--progress=json", d.host+"/some/image:1")
	events, err := cmd.StderrPipe()
	l.must(err)
	l.must(cmd.Start())
	killed, said := d.killHalfway(events)
	if err := cmd.Wait(); err != nil {
		l.Fatalf("pulling: %v: %s", err, said)
	}
	if !killed {
		l.Error("the registry was not killed: nothing was downloaded")
	}
	l.shim(dir)("tag", d.host+"/some/image:1", "moved")
}

// killHalfway kills the registry at the first event of a download, and tells what was
// said last.
func (d *distribution) killHalfway(events io.Reader) (killed bool, last string) {
	for lines := bufio.NewScanner(events); lines.Scan(); last = lines.Text() {
		var event struct{ Phase string }
		_ = json.Unmarshal(lines.Bytes(), &event)
		if event.Phase == "downloading" && !killed {
			killed = true
			d.stop()
			d.start()
		}
	}
	return killed, last
}
