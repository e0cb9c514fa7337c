package main

import (
	"flag"
	"testing"

	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/contrib/generate"
)

//go:generate go test -count=1 -run ^TestContrib$ . -update

var update = flag.Bool("update", false, "write contrib's completions and manual pages anew")

const contrib = "../../contrib"

// documented is davit-shim, as contrib describes it.
func documented() *generate.Program {
	root := newProgram().tree()
	return &generate.Program{
		Name: name, Section: 1, Version: version, Summary: summary, Description: description,
		Root: root, Commands: root.Commands(), Globals: root.Flags(),
		ExitStatus: "0 when all is done; 1 when something was not, or when it was called wrongly. Of commands that run a program it is that of the program; then 125 is a failure of davit-shim, 126 a program that cannot be invoked, and 127 one that is not there.",
		Files: []generate.File{
			{Path: systemRoot, Text: "The images and containers of root."},
			{Path: "$XDG_DATA_HOME/davit", Text: "The images and containers of other users."},
			{Path: "/etc/davit/registries.json", Text: "Mirrors and certificates of registries, and where plain http is allowed."},
		},
		Others: []string{"davit (8)"},
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
	got, err := generate.Completed(contrib, name, "davit-shim hist", "davit-shim pull --progress js") // TestMain has put davit-shim into $PATH
	if want := "history\njson\n"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
