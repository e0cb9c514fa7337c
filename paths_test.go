package davit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// everyMachine are folders that every machine has: their names tell nothing
// about the one on which a file was written.
var everyMachine = []string{"/", "/home", "/mnt", "/opt", "/root", "/srv", "/tmp", "/usr", "/usr/local", "/usr/src", "/var", "/var/tmp", "/workspace", "/build", "/src"}

// machinePaths are beginnings of paths that exist on this machine only: the
// tree itself, the folder around it, and Go's caches.
func machinePaths(t *testing.T) []string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	found := []string{here}
	if around := filepath.Dir(here); !slices.Contains(everyMachine, around) {
		found = append(found, around+"/")
	}
	if home, err := os.UserHomeDir(); err == nil && home != "/" {
		found = append(found, home+"/go/pkg/", home+"/.cache/")
	}
	return found
}

func TestNoPathsOfOneMachine(t *testing.T) {
	banned := machinePaths(t)
	for _, name := range committed(t) {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // deleted and not yet committed, or a link to nowhere
		}
		for _, p := range banned {
			if at := bytes.Index(data, []byte(p)); at >= 0 {
				line := 1 + bytes.Count(data[:at], []byte("\n"))
				t.Errorf("%s:%d: contains %q, which is a path of the machine where it was written: nobody else has it", name, line, p)
			}
		}
	}
}

// mdLink finds the target of a link in Markdown.
const mdLink = `\]\(([^)#\s]+)[^)]*\)`

func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(mdLink)
	for _, name := range committed(t) {
		if filepath.Ext(name) != ".md" {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for _, match := range link.FindAllSubmatch(data, -1) {
			target := string(match[1])
			if strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), target)); err != nil {
				t.Errorf("%s: links to %s, which is not there", name, target)
			}
		}
	}
}
