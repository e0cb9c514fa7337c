package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/api"
)

// CVE-2020-15257, CVE-2021-41103: what a supervisor has is its owner's alone,
// whatever the umask, and no socket is without a path.
func TestModes(t *testing.T) {
	for _, umask := range []int{0, 0o077} {
		t.Run(fmt.Sprintf("umask %03o", umask), func(t *testing.T) {
			p := newPod(t)
			old := unix.Umask(umask)
			defer unix.Umask(old)
			p.run("one", "sleep 100")
			p.modes()
			p.noAbstractSocket()
		})
	}
}

// modes are checked of what a supervisor makes.
func (p *pod) modes() {
	socket := strings.TrimPrefix(p.address, "unix://")
	for path, want := range map[string]fs.FileMode{
		filepath.Dir(socket):    0o700,
		socket:                  0o600,
		socket + exitsSuffix:    0o600,
		p.file("davit.journal"): 0o600,
		p.file("address"):       0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			p.t.Error(err)
		} else if got := info.Mode().Perm(); got&^want != 0 {
			p.t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
}

func (p *pod) noAbstractSocket() {
	sockets, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(sockets)) {
		if strings.Contains(line, " @") && strings.Contains(line, filepath.Base(p.dir)) {
			p.t.Errorf("an abstract socket: %s", line)
		}
	}
}

func (p *pod) file(name string) string { return filepath.Join(p.dir, "bundles/one", name) }

// nobody is a user without rights.
const nobody = 65534

// A user who reaches the socket all the same is not heard.
func TestPeer(t *testing.T) {
	if address := os.Getenv("SHIM_TEST_ADDRESS"); address != "" {
		c, err := dial(address)
		if err == nil {
			err = c.call("Connect", &api.ConnectRequest{}, &api.ConnectResponse{})
		}
		if err == nil {
			t.Error("heard")
		}
		return
	}
	p := newPod(t)
	p.run("one", "sleep 1000")
	socket := strings.TrimPrefix(p.address, "unix://")
	for path := filepath.Dir(socket); path != "/tmp" && path != "/"; path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(p.dir, "self")
	program, err := os.Executable()
	if err == nil {
		err = exec.Command("cp", program, self).Run()
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestPeer$")
	cmd.Dir, cmd.Env = "/", []string{"SHIM_TEST_ADDRESS=" + p.address}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
