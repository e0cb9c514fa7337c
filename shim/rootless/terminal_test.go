package rootless

import (
	"bufio"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/containerd/console"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// TestUserTypesInterrupt types Ctrl-C on a terminal, which signals both
// processes: the program must not get it twice.
func TestUserTypesInterrupt(t *testing.T) {
	cmd := command(t, "signals")
	pty, name, err := console.NewPty()
	needs.Terminal(t, err) // in TestRootless there is one for every user
	defer pty.Close()
	tty, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close()
	lines := bufio.NewScanner(pty)
	await := func(want string) {
		t.Helper()
		lines.Scan()
		if got := strings.TrimSpace(lines.Text()); got != want {
			t.Errorf("got %q, want %s", got, want)
		}
	}
	await("ready")
	if _, err := io.WriteString(pty, "\x03"); err != nil {
		t.Fatal(err)
	}
	await("^CSIGINT")
	if err := cmd.Process.Signal(unix.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	await("SIGUSR2")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
