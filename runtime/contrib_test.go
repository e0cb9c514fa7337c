package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/conformance/needs"
)

//go:generate go test -count=1 -run ^TestContrib$ . -update

var update = flag.Bool("update", false, "write contrib's completions and manual pages anew")

const contrib = "../contrib"

// generated are the files in contrib that the command definitions make, by path.
func generated(t *testing.T) map[string]string {
	t.Helper()
	p := newProgram("davit")
	files := map[string]string{}
	root := p.fullRoot()
	for path, write := range map[string]func(*bytes.Buffer) error{
		"completions/davit.bash": func(w *bytes.Buffer) error { return root.GenBashCompletionV2(w, true) },
		"completions/_davit":     func(w *bytes.Buffer) error { return root.GenZshCompletion(w) },
		"completions/davit.fish": func(w *bytes.Buffer) error { return root.GenFishCompletion(w, true) },
	} {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		files[path] = out.String()
	}
	files["man/davit.8"] = mainPage(p)
	for _, c := range commands() {
		if c.name != "help" {
			files["man/davit-"+c.name+".8"] = commandPage(c.build(p))
		}
	}
	return files
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
			t.Errorf("%s is not what the commands are now: run go generate ./runtime (%v)", path, err)
		}
	}
	if found := ownFiles(t); len(found) != len(files) {
		t.Errorf("contrib has %d files, want %d: %v", len(found), len(files), found)
	}
}

// ownFiles are those in contrib that are made here. Other programs have theirs
// beside them.
func ownFiles(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"completions/davit.*", "completions/_davit", "man/davit*.8"} {
		found, err := filepath.Glob(filepath.Join(contrib, pattern))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

// tool runs a program on contrib's files and gives what it says.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	needs.Program(t, name)
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func pages(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob(contrib + "/man/*.8")
	if err != nil || len(list) < len(commands()) {
		t.Fatalf("%v, %v", list, err)
	}
	return list
}

func TestManPagesByMandoc(t *testing.T) {
	if out := tool(t, "mandoc", append([]string{"-T", "lint", "-W", "error"}, pages(t)...)...); out != "" {
		t.Error(out)
	}
}

func TestManPagesByGroff(t *testing.T) {
	for _, page := range pages(t) {
		if out := tool(t, "groff", "-man", "-ww", "-Tutf8", "-z", page); out != "" {
			t.Errorf("%s: %s", page, out)
		}
	}
}

func TestBashCompletion(t *testing.T) {
	out := tool(t, "bash", "--norc", "-n", contrib+"/completions/davit.bash")
	if out != "" {
		t.Error(out)
	}
	// The words that Tab gives for "davit del" and "davit --root DIR start".
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/box7", 0o700); err != nil {
		t.Fatal(err)
	}
	script := `
compopt() { :; }
_get_comp_words_by_ref() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${words[cword]}; } # bash-completion's
source ` + contrib + `/completions/davit.bash
complete_line() { COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); COMPREPLY=(); __start_davit; echo "${COMPREPLY[@]}"; }
complete_line davit del
complete_line davit --root ` + dir + ` start box
`
	got, err := exec.Command("bash", "--norc", "-c", script).CombinedOutput() // TestMain has put davit into $PATH
	if want := "delete\nbox7\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestZshCompletion(t *testing.T) {
	if out := tool(t, "zsh", "-f", "-n", contrib+"/completions/_davit"); out != "" {
		t.Error(out)
	}
}

func TestFishCompletion(t *testing.T) {
	if out := tool(t, "fish", "--no-config", "-n", contrib+"/completions/davit.fish"); out != "" {
		t.Error(out)
	}
}

// TestCompleteArguments: which commands complete ids, and which are given a
// new one.
func TestCompleteArguments(t *testing.T) {
	p := newProgram("davit")
	p.globals.root, p.globals.rootless = t.TempDir(), "auto"
	if err := os.Mkdir(filepath.Join(p.globals.root, "box"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, command string
		args          []string
		want          []cobra.Completion
	}{
		{"an id", "delete", nil, []string{"box"}},
		{"no second id", "delete", []string{"box"}, nil},
		{"a verb", "mounts", nil, []string{"add", "remove"}},
		{"an id after a verb", "mounts", []string{"add"}, []string{"box"}},
		{"a file", "mounts", []string{"add", "box"}, nil},
		{"a new id", "run", nil, nil},
		{"no id", "list", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := p.command(tt.command)
			p.completeArguments(cmd)
			if cmd.ValidArgsFunction == nil {
				if tt.want != nil {
					t.Fatal("nothing is completed")
				}
				return
			}
			if got, _ := cmd.ValidArgsFunction(cmd, tt.args, ""); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestIDPosition(t *testing.T) {
	for use, want := range map[string]int{"list": -1, "kill <container-id> [signal]": 0, "mounts add|remove <container-id> <file>": 1} {
		if got := idPosition(use); got != want {
			t.Errorf("%q: got %d, want %d", strings.TrimSpace(use), got, want)
		}
	}
}
