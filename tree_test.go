// Package davit_test keeps the rules of the tree: which package imports which,
// that every package says what it is, which modules the project depends on,
// and what a committed file never contains. Each failure says why the rule
// exists and what to do.
//
// It is not for testing what the packages do: their own tests are beside them.
package davit_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// modulePath is the path of this module, as in go.mod.
const modulePath = "github.com/davit-containers/davit"

// sourceFile is one parsed Go file of the tree.
type sourceFile struct {
	path string // from the root, with slashes
	dir  string // its package's folder from the root; "." for the root
	test bool
	ast  *ast.File
}

// position is a node's place, as "file:line".
func (f sourceFile) position(n ast.Node) string {
	return positions.Position(n.Pos()).String()
}

// imports are the import paths of a file.
func (f sourceFile) imports() []*ast.ImportSpec { return f.ast.Imports }

// positions are the places of all parsed files.
var positions = token.NewFileSet()

// sources parses every Go file of the tree, once. A folder that the go command
// leaves out (testdata, or named with a leading dot or underscore) is left out.
var sources = sync.OnceValues(func() ([]sourceFile, error) {
	var files []sourceFile
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipUnbuilt(name)
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(positions, name, nil, parser.ParseComments)
		slashed := filepath.ToSlash(name)
		files = append(files, sourceFile{
			path: slashed,
			dir:  path.Dir(slashed),
			test: strings.HasSuffix(slashed, "_test.go"),
			ast:  parsed,
		})
		return err
	})
	return files, err
})

// skipUnbuilt is fs.SkipDir for a folder that the go command leaves out.
func skipUnbuilt(name string) error {
	base := filepath.Base(name)
	if base == "testdata" || name != "." && strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return fs.SkipDir
	}
	return nil
}

// goFiles are the parsed files of the tree.
func goFiles(t *testing.T) []sourceFile {
	t.Helper()
	files, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// committed are the names of the files in the repository, and of those that
// would go in next. It skips the test where the tree is no repository.
func committed(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Skip("the tree is no git repository (or git is not installed), so there is no list of committed files")
	}
	var names []string
	for name := range bytes.SplitSeq(bytes.TrimRight(out, "\x00"), []byte{0}) {
		names = append(names, string(name))
	}
	return names
}
