package main

import (
	"errors"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// TestReap wants every child that has ended to be waited for, apart from the
// container's.
func TestReap(t *testing.T) {
	adopted := startTrue(t)
	awaitZombie(t, adopted)
	reap(1)
	if err := unix.Waitid(unix.P_PID, adopted, nil, unix.WEXITED|unix.WNOWAIT, nil); !errors.Is(err, unix.ECHILD) {
		t.Errorf("waiting for the adopted process: got %v, want %v", err, unix.ECHILD)
	}
	container := startTrue(t)
	awaitZombie(t, container)
	reap(container)
	var status unix.WaitStatus
	if pid, err := unix.Wait4(container, &status, 0, nil); pid != container || err != nil {
		t.Errorf("waiting for the container's process: got %d, %v", pid, err)
	}
}

func startTrue(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		needs.Program(t, "true")
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func awaitZombie(t *testing.T, pid int) {
	t.Helper()
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
}
