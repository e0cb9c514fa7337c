package davit_test

import (
	"go/ast"
	"os"
	"strings"
	"testing"
)

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	docs := map[string]string{}
	for _, f := range goFiles(t) {
		if f.dir != "." && f.test {
			continue
		}
		docs[f.dir] += packageComment(f.ast)
	}
	for dir, doc := range docs {
		if strings.TrimSpace(doc) == "" {
			t.Errorf("%s: no package comment: say in doc.go what the package is, and what it is not for", dir)
		}
	}
}

// packageComment is the text above a file's package clause.
func packageComment(f *ast.File) string {
	if f.Doc == nil {
		return ""
	}
	return f.Doc.Text()
}

func TestReadmeOpensWithTheTwoCommands(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(readme), "\n")
	opening := strings.Join(lines[:min(len(lines), 30)], "\n")
	for _, command := range []string{"make demo", "make test"} {
		if !strings.Contains(opening, "\n    "+command) && !strings.Contains(opening, "\n"+command) {
			t.Errorf("README.md: no line %q in its first 30: a newcomer looks there for what to type", command)
		}
	}
}
