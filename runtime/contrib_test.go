package main

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/contrib/generate"
)

//go:generate go test -count=1 -run ^TestContrib$ . -update

var update = flag.Bool("update", false, "write contrib's completions and manual pages anew")

const contrib = "../contrib"

// documented is davit, as contrib describes it.
func documented() *generate.Program {
	p := newProgram("davit")
	var list []*cobra.Command
	for _, c := range commands() {
		if c.name != "help" {
			list = append(list, c.build(p))
		}
	}
	return &generate.Program{
		Name: "davit", Section: 8, Version: version, Summary: summary, Description: p.description(),
		Root: p.fullRoot(), Commands: list, Globals: p.globals.flags("davit"),
		Defaults: map[string]string{"root": systemRoot + ", or davit in $XDG_RUNTIME_DIR for a user who is not root"},
		ExitStatus: `0 when all is done; 1 when davit failed or was called wrongly, 255 when exec did.
run and exec end with the program's status, or with 128 and the number of the
signal that ended it.`,
		Files: []generate.File{{Path: systemRoot, Text: "The state of root's containers."}},
	}
}

func TestContrib(t *testing.T) {
	if *update {
		if err := generate.Write(contrib, documented()); err != nil {
			t.Fatal(err)
		}
	}
	generate.Check(t, contrib, documented())
}

func TestBashCompletion(t *testing.T) {
	needs.Program(t, "bash")
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/box7", 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := generate.Completed(contrib, "davit", "davit del", "davit --root "+dir+" start box") // TestMain has put davit into $PATH
	if want := "delete\nbox7\n"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
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
