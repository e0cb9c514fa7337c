package libcontainer

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/davit-containers/davit/conformance/needs"
)

// profiles are two of AppArmor's: one allows what the tests do, the other all of
// that but to write in /tmp.
const profiles = `
profile davit-test-open flags=(attach_disconnected) { file, capability, mount, signal, }
profile davit-test-closed flags=(attach_disconnected) { file, capability, mount, signal, deny /tmp/** w, }
`

// loadProfiles loads them until the test ends.
func loadProfiles(t *testing.T) {
	t.Helper()
	if enabled, _ := os.ReadFile("/sys/module/apparmor/parameters/enabled"); strings.TrimSpace(string(enabled)) != "Y" {
		needs.Kernel(t, needs.AppArmor, errors.New("it is not enabled"))
	}
	parse := func(action string) {
		cmd := exec.Command("apparmor_parser", action, "--skip-cache")
		cmd.Stdin = strings.NewReader(profiles)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("apparmor_parser %s: %v: %s", action, err, out)
		}
	}
	parse("--replace")
	t.Cleanup(func() { parse("--remove") })
}

// Loading profiles takes longest, and so it is done once.
func TestAppArmor(t *testing.T) {
	loadProfiles(t)
	t.Run("create", func(t *testing.T) { forEachUserNS(t, appArmorAtCreate) })
	t.Run("exec", func(t *testing.T) { forEachUserNS(t, appArmorAtExec) })
	t.Run("not loaded", appArmorNotLoaded)
}

func appArmorAtCreate(b *box) {
	b.config.Root.Readonly = false
	b.config.Process.ApparmorProfile = "davit-test-closed"
	got := b.succeeds("sh", "-c", "cat /proc/self/attr/current; touch /tmp/x 2>/dev/null || echo denied")
	if want := "davit-test-closed (enforce)\ndenied"; got != want {
		b.t.Errorf("got %q, want %q", got, want)
	}
	b.config.Process.ApparmorProfile = "davit-test-open"
	got = b.succeeds("sh", "-c", "cat /proc/self/attr/current; touch /tmp/x && echo allowed")
	if want := "davit-test-open (enforce)\nallowed"; got != want {
		b.t.Errorf("got %q, want %q", got, want)
	}
}

// An exec'd process has the container's profile, or the one that is asked for.
func appArmorAtExec(b *box) {
	b.config.Process.ApparmorProfile = "davit-test-open"
	c := b.running()
	if got := b.execs(c, "cat", "/proc/self/attr/current"); got != "davit-test-open (enforce)" {
		b.t.Errorf("without a word: %q", got)
	}
	p := b.process(c, "cat", "/proc/self/attr/current")
	p.ApparmorProfile = "davit-test-closed"
	if got, _, err := b.exec(c, ExecOptions{Process: p}); err != nil || got != "davit-test-closed (enforce)" {
		b.t.Errorf("asked for another: %q, %v", got, err)
	}
}

// The error of a profile that the kernel does not know is one line with its name.
func appArmorNotLoaded(t *testing.T) {
	b := newBox(t)
	b.config.Process.ApparmorProfile = "davit-test-absent"
	_, _, err := b.run("true")
	if err == nil || !strings.Contains(err.Error(), "davit-test-absent") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line with the profile's name", err)
	}
	if left := b.remains(); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}
