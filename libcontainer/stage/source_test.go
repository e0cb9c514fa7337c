package stage

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/libcontainer/plan"
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestHeader(t *testing.T) {
	if string(read(t, "src/ops.h")) != plan.Header() {
		t.Error("src/ops.h differs from the plan's table: run go generate")
	}
}

// Without its socket the program does nothing.
func TestNoArguments(t *testing.T) {
	run := map[string][]string{"amd64": {"bin/stage_amd64"}, "arm64": {"qemu-aarch64-static", "bin/stage_arm64"}}
	for arch, args := range run {
		t.Run(arch, func(t *testing.T) {
			cmd := exec.Command(args[0], args[1:]...)
			if !strings.HasPrefix(args[0], "bin/") {
				needs.Program(t, args[0])
			}
			cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != 125 {
				t.Errorf("got status %d, want 125", code)
			}
		})
	}
}
