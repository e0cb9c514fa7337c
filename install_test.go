package davit_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/davit-containers/davit/conformance/needs"
)

// TestInstall installs what is built to another place.
func TestInstall(t *testing.T) {
	needs.Built(t, "bin/davit")
	dir := t.TempDir()
	out, err := exec.Command("make", "-o", "build", "install", "DESTDIR="+dir, "PREFIX=/opt").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{
		"bin/davit", "share/man/man8/davit.8", "share/man/man8/davit-exec.8", "share/bash-completion/completions/davit",
		"share/zsh/site-functions/_davit", "share/fish/vendor_completions.d/davit.fish",
		"bin/davit-shim", "share/man/man1/davit-shim.1", "share/man/man1/davit-shim-pull.1", "share/bash-completion/completions/davit-shim",
		"share/zsh/site-functions/_davit-shim", "share/fish/vendor_completions.d/davit-shim.fish",
	} {
		if found, _ := filepath.Glob(filepath.Join(dir, "opt", want)); len(found) != 1 {
			t.Errorf("%s is not installed", want)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "*")); len(found) != 1 {
		t.Errorf("besides the prefix there is %v", found)
	}
}
