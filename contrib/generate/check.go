package generate

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Check compares what is in the folder contrib with what the program's commands
// are now.
func Check(t *testing.T, contrib string, p *Program) {
	t.Helper()
	files, err := p.files()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		if got, err := os.ReadFile(filepath.Join(contrib, path)); err != nil || string(got) != want {
			t.Errorf("%s is not what the commands are now: run make generate (%v)", path, err)
		}
	}
	found, err := p.present(contrib)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if _, wanted := files[path]; !wanted {
			t.Errorf("%s is of no command: run make generate", path)
		}
	}
}

// Write writes a program's files anew, and removes what was made of commands
// that are gone.
func Write(contrib string, p *Program) error {
	files, err := p.files()
	if err != nil {
		return err
	}
	found, err := p.present(contrib)
	if err != nil {
		return err
	}
	for _, path := range found {
		if err := os.Remove(filepath.Join(contrib, path)); err != nil {
			return err
		}
	}
	for path, text := range files {
		if err := os.WriteFile(filepath.Join(contrib, path), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// present are the program's files that are there, by their paths in contrib.
// Programs have their pages in sections of their own.
func (p *Program) present(contrib string) (paths []string, err error) {
	for _, pattern := range []string{"completions/" + p.Name + ".*", "completions/_" + p.Name, p.path(p.Name + "*")} {
		found, err := filepath.Glob(filepath.Join(contrib, pattern))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			relative, err := filepath.Rel(contrib, path)
			if err != nil {
				return nil, err
			}
			paths = append(paths, relative)
		}
	}
	return paths, nil
}

// Completed gives what Tab in bash makes of each line, a line each. The program
// must be in $PATH.
func Completed(contrib, program string, lines ...string) (string, error) {
	script := fmt.Sprintf(`
compopt() { :; }
_get_comp_words_by_ref() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${words[cword]}; } # bash-completion's
source %s/completions/%s.bash
complete_line() { COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); COMPREPLY=(); __start_%[2]s; echo "${COMPREPLY[@]}"; }
complete_line %s
`, contrib, program, strings.Join(lines, "\ncomplete_line "))
	out, err := exec.Command("bash", "--norc", "-c", script).CombinedOutput()
	return string(out), err
}
