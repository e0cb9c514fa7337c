package needs

import (
	"os/exec"
	"strings"
	"testing"
)

// CRIU skips a test of checkpoints where criu(8) says that it does not know this
// kernel, and fails it where criu does not work for another reason.
func CRIU(t testing.TB) {
	t.Helper()
	Root(t, "criu reads other processes")
	out, err := exec.Command(Program(t, "criu"), "check").CombinedOutput()
	if err == nil {
		return
	}
	if missing := unknownToCRIU(string(out)); missing != "" {
		t.Skipf("needs a criu that knows this kernel: %s", missing)
	}
	t.Fatalf("criu check: %v: %s", err, out)
}

// unknownToCRIU is what a check says that is missing.
func unknownToCRIU(check string) string {
	for line := range strings.Lines(check) {
		if strings.Contains(line, "Error") && !strings.Contains(line, "exited, status") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
