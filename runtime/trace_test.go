package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// In a directory that others can write to, a trace overwrites nothing, be it
// behind a link or not.
func TestCreateTraceInDirectory(t *testing.T) {
	var victim string
	for _, test := range []struct {
		name  string
		place func(path string) error
		fresh bool // the first name is free
	}{
		{"nothing there", func(string) error { return nil }, true},
		{"a link", func(path string) error { return os.Symlink(victim, path) }, false},
		{"a link to nothing", func(path string) error { return os.Symlink(victim+"-new", path) }, false},
		{"a second name of a file", func(path string) error { return os.Link(victim, path) }, false},
		{"a directory", func(path string) error { return os.Mkdir(path, 0o755) }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			victim = filepath.Join(t.TempDir(), "victim")
			if err := os.WriteFile(victim, []byte("precious"), 0o644); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			first := filepath.Join(dir, fmt.Sprintf("davit-state-%d.json", os.Getpid()))
			if err := test.place(first); err != nil {
				t.Fatal(err)
			}
			checkTrace(t, dir, first, test.fresh)
			if text, err := os.ReadFile(victim); string(text) != "precious" {
				t.Errorf("the victim has %q, %v", text, err)
			}
			if _, err := os.Lstat(victim + "-new"); err == nil {
				t.Error("the link was followed")
			}
		})
	}
}

// checkTrace writes a trace into a directory, and finds it there.
func checkTrace(t *testing.T, dir, first string, fresh bool) {
	t.Helper()
	f, err := createTrace(dir, "state")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("trace"); err != nil {
		t.Error(err)
	}
	if match, err := filepath.Match(filepath.Join(dir, "davit-state-*.json"), f.Name()); !match || err != nil || (f.Name() == first) != fresh {
		t.Errorf("it is %s", f.Name())
	}
	if text, err := os.ReadFile(f.Name()); string(text) != "trace" {
		t.Errorf("it has %q, %v", text, err)
	}
}

func TestCreateTraceReplacesFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.json")
	if err := os.WriteFile(path, []byte("the trace before"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := createTrace(path, "state")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || f.Name() != path || info.Size() != 0 {
		t.Errorf("%s: %v, %v", f.Name(), info, err)
	}
}
