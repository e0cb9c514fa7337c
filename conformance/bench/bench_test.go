package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/davit-containers/davit/conformance/internal/bundle"
	"github.com/davit-containers/davit/conformance/internal/view"
	"github.com/davit-containers/davit/conformance/needs"
)

func TestQuantile(t *testing.T) {
	tests := []struct {
		name    string
		samples []int
		q       float64
		want    int
	}{
		{name: "no samples", q: 0.5, want: 0},
		{name: "one", samples: []int{7}, q: 0.9, want: 7},
		{name: "median unsorted", samples: []int{9, 1, 5}, q: 0.5, want: 5},
		{name: "p10 of eleven", samples: []int{10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}, q: 0.1, want: 1},
		{name: "p90 of eleven", samples: []int{10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}, q: 0.9, want: 9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := quantile(tt.samples, tt.q); got != tt.want {
				t.Errorf("quantile(%v, %v) = %v, want %v", tt.samples, tt.q, got, tt.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{name: "unknown scenario", args: []string{"-only", "run,fly"}, want: `scenario "fly"`},
		{name: "unknown view", args: []string{"-cgroup", "v3"}, want: `view of the cgroups "v3"`},
		{name: "runtime without a name", args: []string{"/bin/true"}, want: "want name=path"},
		{name: "runtime that is not there", args: []string{"x=/nonexistent"}, want: "runtime x"},
		{name: "runtime without --version", args: []string{"x=/bin/false"}, want: "asking x for its version"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.args)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("parse(%q) = %v, want an error with %q", tt.args, err, tt.want)
			}
		})
	}
}

// fakeRuntime is a runtime made of a shell script.
func fakeRuntime(t *testing.T, script string) peer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "runtime")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return peer{name: "fake", path: path}
}

// testBench has a launcher and no bundles.
func testBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	l, err := newLauncher(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	return &bench{launcher: l, dir: dir, view: view.Host}
}

// findScenario is the scenario of that name.
func findScenario(t *testing.T, name string) scenario {
	t.Helper()
	for _, s := range scenarios {
		if s.name == name {
			return s
		}
	}
	t.Fatalf("no scenario %q", name)
	return scenario{}
}

func TestRoundsOfRuntimesThatWorkAndFail(t *testing.T) {
	needs.File(t, timeProgram, "time") // measures peak memory
	good := fakeRuntime(t, "sleep 0.01\n")
	bad := fakeRuntime(t, "echo first >&2\necho 'mounting /proc: no' >&2\nexit 3\n")
	o := options{rounds: 4, warmup: 1, peers: []peer{good, bad}}
	results := measureRounds(t.Context(), testBench(t), findScenario(t, "create+start+delete"), o)

	got := results[0]
	if got.err != nil || len(got.wall) != 4 || len(got.cpu) != 4 || len(got.peakKiB) != peakRounds {
		t.Fatalf("result of a runtime that works: %+v", got)
	}
	if m := median(got.wall); m < 30*time.Millisecond || m > 5*time.Second {
		t.Errorf("median of three commands that sleep 10 ms each = %v", m)
	}
	if p := median(got.peakKiB); p < 100 || p > 1<<20 {
		t.Errorf("peak memory of a shell = %d KiB", p)
	}
	got = results[1]
	if got.err == nil || got.err.Error() != "exit status 3: mounting /proc: no" {
		t.Errorf("error of a runtime that fails = %v", got.err)
	}
	if len(got.wall) != 0 {
		t.Errorf("a runtime that fails has samples: %v", got.wall)
	}
}

func TestPeakIsNotOurs(t *testing.T) {
	needs.File(t, timeProgram, "time") // measures peak memory
	ballast := make([]byte, 64<<20)
	for i := range ballast {
		ballast[i] = 1
	}
	kib, err := testBench(t).peakKiB([]string{"/bin/sh", "-c", ":"})
	if err != nil {
		t.Fatal(err)
	}
	if kib > len(ballast)>>11 {
		t.Errorf("peak memory of a shell = %d KiB: that is this test's", kib)
	}
}

func TestPrintTable(t *testing.T) {
	ms := time.Millisecond
	rows := []result{
		{peer: "davit", wall: []time.Duration{4 * ms, 5 * ms, 6 * ms}, cpu: []time.Duration{4 * ms}, peakKiB: []int{8192}},
		{peer: "crun", wall: []time.Duration{10 * ms}, cpu: []time.Duration{8 * ms}, peakKiB: []int{3789}},
		{peer: "runc", err: errors.New("exit status 1: no")},
	}
	var out bytes.Buffer
	printTable(&out, scenario{name: "run"}, rows, []string{"crun", "runc"})
	want := `         wall ms    p10    p90  cpu ms   p10   p90  peak MB  wall/crun  cpu/crun
  davit     5.00   4.00   6.00    4.00  4.00  4.00      8.0       0.50      0.50
   crun    10.00  10.00  10.00    8.00  8.00  8.00      3.7       1.00      1.00
runc: failed: exit status 1: no
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestConfigurations(t *testing.T) {
	full := bundle.Engine("/sources")
	if got := len(full.Mounts); got != 20 {
		t.Errorf("the full configuration has %d mounts, want 20", got)
	}
	if got := len(bundle.Default().Mounts); got != 7 {
		t.Errorf("the default configuration has %d mounts, want 7", got)
	}
	seen := map[string]bool{}
	for _, rule := range full.Linux.Seccomp.Syscalls {
		for _, name := range rule.Names {
			if seen[name] && rule.Action == specs.ActAllow && len(rule.Args) == 0 {
				t.Errorf("seccomp.txt allows %s twice", name)
			}
			seen[name] = true
		}
	}
	for _, name := range []string{"mount", "unshare", "bpf", "ptrace"} {
		if seen[name] != (name == "ptrace") {
			t.Errorf("seccomp profile names %s: %v", name, seen[name])
		}
	}
}
