package programs

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// program writes a program into a file that can be run.
func program(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, data, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHello(t *testing.T) {
	out, err := exec.Command(program(t, Hello())).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "\nHello from davit-shim") {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestInitEndsAsItsProgram(t *testing.T) {
	init := program(t, Init())
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"exit status", []string{"--", "sh", "-c", "exit 3"}, 3, ""},
		{"signal", []string{"--", "sh", "-c", "kill -TERM $$"}, 128 + 15, ""},
		{"no such program", []string{"--", "/nope"}, 127, "init: /nope: No such file or directory\n"},
		{"no program", []string{"--", "/"}, 126, "init: /: Permission denied\n"},
		{"misuse", []string{"sh"}, 126, "usage: init -- PROGRAM [ARGUMENT...]\n"},
		{"an orphan's end is not its own", []string{"--", "sh", "-c", "(sh -c 'exit 5' &) ; sleep 0.1; exit 4"}, 4, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := exec.Command(init, tt.args...).CombinedOutput()
			var ended *exec.ExitError
			if !errors.As(err, &ended) || ended.ExitCode() != tt.code || string(out) != tt.says {
				t.Errorf("got %q, %v, want %q, exit status %d", out, err, tt.says, tt.code)
			}
		})
	}
}

// Signals reach the program, which has none of them blocked.
func TestInitPassesSignals(t *testing.T) {
	cmd := exec.Command(program(t, Init()), "--", "sh", "-c", "trap 'echo hup; exit 6' HUP; echo ready; while :; do sleep 1; done")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "ready\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	if err := cmd.Process.Signal(unix.SIGHUP); err != nil {
		t.Fatal(err)
	}
	var rest bytes.Buffer
	if _, err := rest.ReadFrom(lines); err != nil || rest.String() != "hup\n" {
		t.Errorf("got %q, %v", rest.String(), err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 6 {
		t.Errorf("got %v", err)
	}
}
