package security

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every test of this package stands in the table of docs/security.md, and
// every one that stands there exists.
func TestTable(t *testing.T) {
	doc, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(doc), -1)
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var exist []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "_test.go") && e.Name() != "main_test.go" && e.Name() != "table_test.go" {
			data, err := os.ReadFile(e.Name())
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing.T\)`).FindAllStringSubmatch(string(data), -1) {
				exist = append(exist, match[1])
			}
		}
	}
	slices.Sort(listed)
	slices.Sort(exist)
	if !slices.Equal(listed, exist) {
		t.Errorf("the table has\n%v\nthe tests are\n%v", listed, exist)
	}
}
