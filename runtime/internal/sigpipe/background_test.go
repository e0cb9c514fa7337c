package sigpipe

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/containerd/console"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// roleVar says what a process is that TestBackground starts.
const roleVar = "SIGPIPE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case "shell":
		shell()
	case "reader":
		reader()
	default:
		os.Exit(m.Run())
	}
}

// TestBackground: who reads the terminal in the background is stopped, as any
// program is, and does not use up a processor.
func TestBackground(t *testing.T) {
	master, path, err := console.NewPty()
	if err != nil {
		needs.Kernel(t, needs.Devpts, err)
	}
	defer master.Close()
	slave, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVar+"=shell")
	cmd.Stdin = slave
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	out, err := cmd.CombinedOutput()
	if got, want := string(out), unix.SIGTTIN.String(); got != want || err != nil {
		t.Errorf("the reader ended or stopped with %q, want %q; %v", got, want, err)
	}
}

// shell is in the terminal's foreground, and has a reader in its background.
func shell() {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVar+"=reader")
	cmd.Stdin = os.Stdin
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		fmt.Print(err)
		return
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(cmd.Process.Pid, &status, unix.WUNTRACED, nil); err != nil {
		fmt.Print(err)
	}
	if status.Stopped() {
		fmt.Print(status.StopSignal())
		return
	}
	fmt.Printf("exit status %d", status.ExitStatus())
}

// reader reads the terminal, and ends with the number of the signal that it catches.
func reader() {
	p, err := Catch()
	if err != nil {
		panic(err)
	}
	pidfd, err := unix.PidfdOpen(os.Getppid(), 0)
	if err != nil {
		panic(err)
	}
	go os.Stdin.Read(make([]byte, 1))
	s, _ := p.Await(os.NewFile(uintptr(pidfd), "pidfd"))
	os.Exit(int(s))
}
