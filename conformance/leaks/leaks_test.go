package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/davit-containers/davit/conformance/internal/residue"
	"github.com/davit-containers/davit/conformance/internal/view"
	"github.com/davit-containers/davit/conformance/needs"
)

// needDavit is the built davit. The test is skipped where containers cannot be made.
func needDavit(t *testing.T) string {
	t.Helper()
	needs.Root(t, "it makes containers and changes mounts")
	return needs.Built(t, "../../bin/davit")
}

// TestLeaks makes fewer containers than the program does, and while the tests of
// other packages use the same kernel: its counts are make leaks' business.
func TestLeaks(t *testing.T) {
	var out bytes.Buffer
	o := options{atOnce: 24, width: 8, inSequence: 16, views: []view.View{view.Host, view.V2}, runtime: needDavit(t), grace: 10 * time.Second, noise: 100_000}
	if err := o.run(t.Context(), &out); err != nil {
		t.Error(err)
	}
	t.Log(out.String())
	if want := "24 containers with 8 at a time, then 16 in sequence"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in the report", want)
	}
}

// TestLeaksAreFound looks at runtimes that leave something: davit, with one
// thing added.
func TestLeaksAreFound(t *testing.T) {
	davit := needDavit(t)
	tests := []struct {
		name, script, want string
	}{
		{"file", `touch $2/left-$$`, "file "},
		{"cgroup", `mkdir /sys/fs/cgroup/$5-left`, "cgroup "},
		{"mount", `mount --bind /usr /mnt`, "mount "},
		{"process", `sleep 1000 &`, "processes are left"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "runtime")
			script := fmt.Sprintf("#!/bin/sh\ncase $5 in *-2) [ $3 = delete ] && %s;; esac\nexec %s \"$@\"\n", tt.script, davit)
			if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(removeCgroups)
			o := options{atOnce: 2, width: 2, views: []view.View{view.V2}, runtime: program, grace: time.Second}
			err := o.run(t.Context(), new(bytes.Buffer))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// removeCgroups removes what such a runtime leaves.
func removeCgroups() {
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		left, _ := filepath.Glob(fmt.Sprintf("%s/leaks-%d-*", root, os.Getpid()))
		for _, dir := range left {
			_ = os.Remove(dir)
		}
	}
}

func TestCountsHaveATolerance(t *testing.T) {
	before := sight{residue.Snapshot{"a": "mount a"}, map[string]int{residue.OpenFiles: 100}}
	tests := []struct {
		name  string
		after sight
		want  []string
	}{
		{"nothing more", sight{residue.Snapshot{}, map[string]int{residue.OpenFiles: 90}}, nil},
		{"what others may have opened", sight{residue.Snapshot{}, map[string]int{residue.OpenFiles: 110}}, nil},
		{"one for each container", sight{residue.Snapshot{}, map[string]int{residue.OpenFiles: 140}}, []string{"40 open files more after 40 containers"}},
		{"a mount", sight{residue.Snapshot{"a": "mount a, elsewhere", "b": "mount b"}, nil}, []string{"mount b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.after.leaks(before, allowance{containers: 40, more: 10}); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
