package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/davit-containers/davit/conformance/needs"
)

//go:generate go test -count=1 -run ^TestContrib$ . -update

var update = flag.Bool("update", false, "write contrib's completions and manual pages anew")

const contrib = "../../contrib"

// generated are the files in contrib that the command definitions make, by path.
func generated(t *testing.T) map[string]string {
	t.Helper()
	root := newProgram().tree()
	files := map[string]string{}
	for path, write := range map[string]func(*bytes.Buffer) error{
		"completions/davit-shim.bash": func(w *bytes.Buffer) error { return root.GenBashCompletionV2(w, true) },
		"completions/_davit-shim":     func(w *bytes.Buffer) error { return root.GenZshCompletion(w) },
		"completions/davit-shim.fish": func(w *bytes.Buffer) error { return root.GenFishCompletion(w, true) },
	} {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		files[path] = out.String()
	}
	files["man/davit-shim.1"] = mainPage(root)
	for _, c := range allCommands(root) {
		files["man/"+pageName(c)+".1"] = commandPage(c)
	}
	return files
}

// ownFiles are those in contrib that are made here.
func ownFiles(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"completions/davit-shim.*", "completions/_davit-shim", "man/davit-shim*.1"} {
		found, err := filepath.Glob(filepath.Join(contrib, pattern))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

// TestContrib compares what is in contrib with what the commands are now.
func TestContrib(t *testing.T) {
	files := generated(t)
	if *update {
		for _, path := range ownFiles(t) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	for path, want := range files {
		path = filepath.Join(contrib, path)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is not what the commands are now: run go generate ./shim/davit-shim (%v)", path, err)
		}
	}
	if found := ownFiles(t); len(found) != len(files) {
		t.Errorf("contrib has %d files, want %d: %v", len(found), len(files), found)
	}
}

func TestManPages(t *testing.T) {
	mandoc := needs.Program(t, "mandoc")
	pages, err := filepath.Glob(contrib + "/man/davit-shim*.1")
	if err != nil || len(pages) < len(commands()) {
		t.Fatalf("%v, %v", pages, err)
	}
	out, err := exec.Command(mandoc, append([]string{"-T", "lint", "-W", "error"}, pages...)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestBashCompletion: the words that Tab gives.
func TestBashCompletion(t *testing.T) {
	needs.Program(t, "bash")
	script := `
compopt() { :; }
_get_comp_words_by_ref() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${words[cword]}; } # bash-completion's
source ` + contrib + `/completions/davit-shim.bash
complete_line() { COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); COMPREPLY=(); __start_davit-shim; echo "${COMPREPLY[@]}"; }
complete_line davit-shim hist
complete_line davit-shim pull --progress js
`
	got, err := exec.Command("bash", "--norc", "-c", script).CombinedOutput() // TestMain has put davit-shim into $PATH
	if want := "history\njson\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
