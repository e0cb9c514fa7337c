package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/api"
	"github.com/davit-containers/davit/shim/protobuf"
)

// killBoth kills the supervisor and its keeper.
func (p *pod) killBoth() {
	p.t.Helper()
	supervisor := p.supervisor()
	keeper := parentOf(supervisor)
	for _, pid := range []int{keeper, supervisor} {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			p.t.Fatal(err)
		}
	}
	p.client.close()
	p.client, p.address = nil, ""
}

// cleanUp runs the program's delete, as containerd does, and gives what it prints.
func (p *pod) cleanUp(id string) (answer api.DeleteResponse) {
	p.t.Helper()
	path, err := program()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(path, "-namespace", "test", "-id", id, "-address", p.dir, "-bundle", filepath.Join(p.dir, "bundles", id), "delete")
	cmd.Dir = filepath.Join(p.dir, "bundles", id)
	errors := bytes.Buffer{}
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil || errors.Len() > 0 {
		p.t.Fatalf("delete: %v: %s", err, errors.String())
	}
	if err := protobuf.Unmarshal(out, &answer); err != nil {
		p.t.Fatalf("delete printed %q: %v", out, err)
	}
	return answer
}

// Where no supervisor is left, delete ends the container, unmounts its root file
// system, and tells how it ended.
func TestDelete(t *testing.T) {
	for _, c := range []struct {
		name, script string
		ends         bool
		want         uint32
	}{
		{"it runs", "sleep 1000", false, 137},
		{"it has ended", "exit 7", true, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPod(t)
			dir := p.bundle("one", c.script)
			lower, root := filepath.Join(p.dir, "lower"), filepath.Join(dir, "rootfs")
			if err := os.Rename(root, lower); err != nil {
				t.Fatal(err)
			}
			p.start("one")
			created := api.CreateTaskResponse{}
			p.do("Create", &api.CreateTaskRequest{
				ID: "one", Bundle: dir, Options: p.options(),
				Rootfs: []api.Mount{{Type: "bind", Source: lower, Options: []string{"rbind", "rw"}}},
			}, &created)
			p.do("Start", &api.StartRequest{ID: "one"}, &api.StartResponse{})
			if c.ends {
				p.wait("one", "")
			}
			p.killBoth()
			answer := p.cleanUp("one")
			if answer.Pid != created.Pid || answer.ExitStatus != c.want || time.Since(answer.ExitedAt.Time()) > time.Hour {
				t.Errorf("got %+v, want process %d with status %d", answer, created.Pid, c.want)
			}
			if mounted, err := mountinfo.Mounted(root); mounted || err != nil {
				t.Errorf("the root file system is mounted: %v, %v", mounted, err)
			}
			if left := p.entries("root/test"); len(left) > 0 {
				t.Errorf("states are left: %v", left)
			}
			if cgroups, _ := filepath.Glob("/sys/fs/cgroup/*/" + testCgroup("one")); len(cgroups) > 0 {
				t.Errorf("cgroups are left: %v", cgroups)
			}
		})
	}
}
