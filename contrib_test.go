package davit_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/davit-containers/davit/conformance/needs"
)

// What contrib has is read by the programs that it is for.
func TestContribIsRead(t *testing.T) {
	for _, tt := range []struct {
		name, files string
		reader      []string
	}{
		{"manual pages by mandoc", "man/*", []string{"mandoc", "-T", "lint", "-W", "error"}},
		{"manual pages by groff", "man/*", []string{"groff", "-man", "-ww", "-Tutf8", "-z"}},
		{"completions for bash", "completions/*.bash", []string{"bash", "--norc", "-n"}},
		{"completions for zsh", "completions/_*", []string{"zsh", "-f", "-n"}},
		{"completions for fish", "completions/*.fish", []string{"fish", "--no-config", "-n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			needs.Program(t, tt.reader[0])
			paths, err := filepath.Glob("contrib/" + tt.files)
			if err != nil || len(paths) == 0 {
				t.Fatalf("no files contrib/%s: %v", tt.files, err)
			}
			for _, path := range paths {
				out, err := exec.Command(tt.reader[0], append(tt.reader[1:], path)...).CombinedOutput()
				if err != nil || len(out) > 0 {
					t.Errorf("%s: %v\n%s", path, err, out)
				}
			}
		})
	}
}
