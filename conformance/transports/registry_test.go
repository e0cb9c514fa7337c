package transports

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"

	"github.com/davit-containers/davit/conformance/registry"
)

// takeFromRegistry pulls from a registry that is killed when half has come, and runs
// again when that was noticed.
func takeFromRegistry(l *lab, dir, from, _ string) {
	d := registry.New(l, dir)
	name := d.Host + "/some/image:1"
	l.skopeo(from, "docker://"+name)
	half := l.size(name) / 2
	cmd := exec.CommandContext(l.Context(), l.program, "--root", dir+"/store", "pull", "--progress=json", name)
	events, err := cmd.StderrPipe()
	l.must(err)
	l.must(cmd.Start())
	retried, said := killHalfway(d, half, events)
	if err := cmd.Wait(); err != nil {
		l.Fatalf("pulling: %v: %s", err, said)
	}
	if !retried && *image != "small" { // which may be on its way as a whole
		l.Error("nothing broke off when the registry was killed")
	}
	l.shim(dir)("tag", name, "moved")
}

// size is how many bytes an image's layers have in a registry.
func (l *lab) size(name string) (size int64) {
	l.Helper()
	var manifest struct{ Layers []struct{ Size int64 } }
	l.must(json.Unmarshal([]byte(l.run("skopeo", "inspect", "--raw", "--tls-verify=false", "docker://"+name)), &manifest))
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	return size
}

// killHalfway kills the registry when so many bytes have come, and starts it when a
// download is tried again. It tells whether one was, and what was said last.
func killHalfway(d *registry.Registry, half int64, events io.Reader) (retried bool, last string) {
	done, killed := map[string]int64{}, false
	for lines := bufio.NewScanner(events); lines.Scan(); last = lines.Text() {
		var event struct {
			Phase, Layer string
			Done         int64
		}
		_ = json.Unmarshal(lines.Bytes(), &event)
		switch event.Phase {
		case "downloading", "downloaded":
			done[event.Layer] = event.Done
		case "retrying":
			if killed && !retried {
				retried = true
				d.Start()
			}
		}
		if !killed && sum(done) >= half {
			killed = true
			d.Kill()
		}
	}
	return retried, last
}

func sum(numbers map[string]int64) (all int64) {
	for _, n := range numbers {
		all += n
	}
	return all
}
