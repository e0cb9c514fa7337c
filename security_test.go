package davit_test

import (
	"go/ast"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// The tables of docs/security.md name every attack, and no test that is not there.
func TestSecurityTables(t *testing.T) {
	doc, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(doc), -1) {
		listed[name] = true
	}
	exist := map[string]bool{}
	for _, f := range goFiles(t) {
		for _, name := range f.tests() {
			exist[name] = true
			if f.attacks() && !listed[name] {
				t.Errorf("%s: docs/security.md does not name %s", f.path, name)
			}
		}
	}
	for name := range listed {
		if !exist[name] {
			t.Errorf("docs/security.md names %s, and there is no such test", name)
		}
	}
}

// attacks tells whether the tests of a file are attacks.
func (f sourceFile) attacks() bool {
	return (f.dir == "conformance/security" || f.dir == "conformance/hostile") && path.Base(f.path) != "main_test.go"
}

// tests are the names of a file's tests.
func (f sourceFile) tests() (names []string) {
	for _, d := range f.ast.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if ok && f.test && fn.Recv == nil && fn.Name.Name != "TestMain" && strings.HasPrefix(fn.Name.Name, "Test") {
			names = append(names, fn.Name.Name)
		}
	}
	return names
}
