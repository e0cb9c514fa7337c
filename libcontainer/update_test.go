package libcontainer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// limits has a limit that every machine with the pids controller can set.
func limits(pids int64) *specs.LinuxResources {
	return &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &pids}}
}

// pidsMax reads the limit in force.
func (b *box) pidsMax(c *Container) string {
	b.t.Helper()
	m, err := c.manager()
	b.must(err)
	paths := m.Paths()
	dir := paths["pids"]
	if dir == "" {
		dir = paths[""]
	}
	text, err := os.ReadFile(filepath.Join(dir, "pids.max"))
	if errors.Is(err, os.ErrNotExist) {
		b.t.Skip("this machine has no pids controller")
	}
	b.must(err)
	return strings.TrimSpace(string(text))
}

func TestUpdate(t *testing.T) {
	b := newBox(t)
	b.config.Linux.Resources = limits(100)
	devices := []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
	b.config.Linux.Resources.Devices = devices
	c := b.running()
	if got := b.pidsMax(c); got != "100" {
		t.Fatalf("before: %s", got)
	}
	b.must(c.Update(Update{Resources: limits(50)}))
	if got := b.pidsMax(c); got != "50" {
		t.Errorf("after: %s", got)
	}
	b.must(c.Update(Update{}))

	// Another process knows of it; the device rules are the configuration's.
	other, err := b.runtime.Load("box")
	b.must(err)
	defer other.Close()
	s, err := other.config()
	b.must(err)
	if r := s.Linux.Resources; *r.Pids.Limit != 50 || len(r.Devices) != 1 || r.Devices[0].Access != "rwm" {
		t.Errorf("recorded: %+v", r)
	}
	if s.Process == nil || s.Process.Args[0] != "sleep" {
		t.Errorf("the rest of the configuration: %+v", s.Process)
	}
	if _, _, err := b.exec(other, ExecOptions{Process: b.process(other, "true")}); err != nil {
		t.Errorf("exec after an update: %v", err)
	}
}

// What one process records, the next builds on.
func TestUpdateAfterAnother(t *testing.T) {
	b := newBox(t)
	c := b.running()
	b.pidsMax(c)
	other, err := b.runtime.Load("box")
	b.must(err)
	defer other.Close()
	b.must(other.Update(Update{Resources: limits(50)}))
	weight := uint64(200)
	b.must(c.Update(Update{Resources: &specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: &weight}}}))
	s, err := c.config()
	b.must(err)
	if r := s.Linux.Resources; r.Pids == nil || *r.Pids.Limit != 50 || *r.CPU.Shares != weight {
		t.Errorf("recorded: %+v", r)
	}
}

func TestUpdateFails(t *testing.T) {
	b := newBox(t)
	b.config.Linux.Resources = limits(100)
	c := b.running()
	b.pidsMax(c)
	r := limits(50)
	r.CPU = &specs.LinuxCPU{Cpus: "4000"}
	err := c.Update(Update{Resources: r})
	if err == nil || !strings.Contains(err.Error(), "[linux.resources.cpu.cpus]") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if got := b.pidsMax(c); got != "100" {
		t.Errorf("the limit of processes is %s", got)
	}
	s, err := c.config()
	b.must(err)
	if got := *s.Linux.Resources.Pids.Limit; got != 100 {
		t.Errorf("recorded: %d", got)
	}
	idle := int64(2)
	if err := c.Update(Update{Resources: &specs.LinuxResources{CPU: &specs.LinuxCPU{Idle: &idle}}}); err == nil {
		t.Error("cpu.idle 2 was taken")
	}
}

func TestUpdateStates(t *testing.T) {
	b := newBox(t)
	b.config.Process.Args = []string{"sleep", "1000"}
	bundle, err := b.load()
	b.must(err)
	c, err := b.runtime.Create("box", bundle, CreateOptions{StartLater: true})
	b.must(err)
	b.must(c.Update(Update{Resources: limits(50)}))
	b.must(c.Start())
	b.must(c.Pause())
	b.must(c.Update(Update{Resources: limits(60)}))
	b.expect(Paused)
	if got := b.pidsMax(c); got != "60" {
		t.Errorf("got %s", got)
	}
	b.must(c.Signal(unix.SIGKILL))
	_, err = c.Wait()
	b.must(err)
	if err := c.Update(Update{Resources: limits(70)}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("update of a stopped container: %v", err)
	}
	b.must(c.Delete())
}

func TestUpdateIntelRdt(t *testing.T) {
	b := newBox(t)
	c := b.running()
	err := c.Update(Update{L3CacheSchema: "L3:0=f"})
	if err == nil || !strings.Contains(err.Error(), "Intel RDT") {
		t.Errorf("got %v", err)
	}
}
