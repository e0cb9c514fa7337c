package network

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// attachForEver attaches and detaches until it is killed.
func attachForEver() int {
	s, err := Open(os.Getenv("ROOT"), Options{PluginDirs: strings.Fields(os.Getenv("PLUGINS"))})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	r := Request{Container: "c", Namespace: os.Getenv("NS"), Names: []string{"c"}, Networks: []Join{{Network: DefaultName}, {Network: "second"}},
		Ports: []Port{{Host: 8080, Container: 80, Protocol: "tcp"}}, Files: &Files{Dir: os.Getenv("FILES"), Hostname: "c"}}
	for {
		if _, err := s.Attach(context.Background(), r); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if err := s.Detach(context.Background(), "c"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
}

// However a process is killed, nothing of its container is left after Detach,
// and its neighbour is untouched.
func TestKilled(t *testing.T) {
	machine(t)
	s := newStore(t)
	if _, err := s.Create(CreateOptions{Name: "second"}); err != nil {
		t.Fatal(err)
	}
	c, neighbour := newContainer(t, "c"), newContainer(t, "neighbour")
	a := attach(t, s, neighbour.request(DefaultName))
	for range 8 {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), "DAVIT_TEST_NETWORK_HELPER=attach", "ROOT="+s.root, "NS="+c.ns, "FILES="+c.files.Dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(rand.IntN(1000))*time.Millisecond, func() { cmd.Process.Kill() })
		if cmd.Wait(); cmd.ProcessState.Exited() {
			t.Fatal("it ended by itself")
		}
		timer.Stop()
		attach(t, s, c.request(DefaultName, "second"))
		detach(t, s, "c")
		if got, want := neighbour.hosts(t), a.addr(0)+"\tneighbour\n"; got != want {
			t.Fatalf("the neighbour's hosts: %q, want %q", got, want)
		}
	}
	detach(t, s, "neighbour")
	nothingLeft(t, s)
}

// slowPlugin stands for a plugin that is at work when its caller is killed.
const slowPlugin = `#!/bin/sh
cd "${0%/*}"
if [ $CNI_COMMAND = ADD ]; then echo > ready; read line < go; fi
echo $CNI_COMMAND >> log
`

// A plugin whose caller was killed goes on; Detach waits for it, and undoes what
// it did then.
func TestPluginOutlivesItsCaller(t *testing.T) {
	machine(t)
	dir := t.TempDir()
	s, err := Open(t.TempDir(), Options{PluginDirs: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"second", DefaultName} {
		if _, err := s.create(CreateOptions{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	for _, plugin := range []string{"bridge", "host-local", "portmap"} {
		if err := os.WriteFile(filepath.Join(dir, plugin), []byte(slowPlugin), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "mkfifo", filepath.Join(dir, "ready"), filepath.Join(dir, "go"))
	c := newContainer(t, "c")
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "DAVIT_TEST_NETWORK_HELPER=attach", "ROOT="+s.root, "NS="+c.ns, "FILES="+c.files.Dir, "PLUGINS="+dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(filepath.Join(dir, "ready")); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	detached := make(chan error, 1)
	go func() { detached <- s.Detach(t.Context(), "c") }()
	select {
	case err := <-detached:
		t.Errorf("detached while the plugin works: %v", err)
		detached <- err
	case <-time.After(300 * time.Millisecond):
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte("\n"), 0); err != nil {
		t.Fatal(err)
	}
	if err := <-detached; err != nil {
		t.Fatal(err)
	}
	if log, _ := os.ReadFile(filepath.Join(dir, "log")); !strings.HasPrefix(string(log), "ADD\nDEL\n") {
		t.Errorf("the plugins ran in the order %q", log)
	}
	nothingLeft(t, s)
}
