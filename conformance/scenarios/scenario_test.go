package scenarios

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// scenario is a script for a shell, and what it must print with every runtime.
type scenario struct {
	name    string
	path    string
	archive *txtar.Archive
	engine  string
}

// scenarios reads those of an engine: each file of the folders below testdata,
// with a file "script" and one "want", or "want.ENGINE" where engines differ, or
// "want.RUNTIME" or "want.ENGINE.RUNTIME" where runtimes do. "needs.RUNTIME" names a
// capability that the machine must leave to that runtime.
func scenarios(t *testing.T, engine string, folders ...string) (all []scenario) {
	t.Helper()
	for _, folder := range folders {
		paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no scenarios in %s: %v", folder, err)
		}
		for _, path := range paths {
			all = append(all, readScenario(t, path, engine))
		}
	}
	return all
}

func readScenario(t *testing.T, path, engine string) scenario {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := scenario{name: strings.TrimSuffix(filepath.Base(path), ".txtar"), path: path, archive: archive, engine: engine}
	if s.section("script") == nil || !*update && s.section(s.wanted("")) == nil {
		t.Fatalf("%s lacks a script, or what it must print", path)
	}
	return s
}

func (s scenario) section(name string) *txtar.File {
	for i := range s.archive.Files {
		if s.archive.Files[i].Name == name {
			return &s.archive.Files[i]
		}
	}
	return nil
}

// wanted is the name of the file that says what a runtime must print.
func (s scenario) wanted(runtime string) string {
	for _, name := range []string{"want." + s.engine + "." + runtime, "want." + runtime, "want." + s.engine} {
		if s.section(name) != nil {
			return name
		}
	}
	return "want"
}

// runAll runs scenarios with both instances, some at a time.
func runAll(t *testing.T, both []*instance, all []scenario) {
	t.Run("scenarios", func(t *testing.T) {
		for _, s := range all {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				for _, i := range both {
					t.Run(i.name, func(t *testing.T) { s.judge(t, i) })
				}
			})
		}
	})
}

// judge runs the script and compares what it prints.
func (s scenario) judge(t *testing.T, i *instance) {
	if wanted := s.section("needs." + i.name); wanted != nil {
		needs.Capability(t, strings.TrimSpace(string(wanted.Data)), "a privileged container is given it")
	}
	got, log := s.run(t, i)
	if testing.Verbose() {
		t.Log(log)
	}
	if *update && i.name != "davit" {
		s.rewrite(t, s.wanted(i.name), got)
		return
	}
	if want := s.section(s.wanted(i.name)); got != string(want.Data) {
		t.Errorf("got:\n%s\nwant:\n%s\nstandard error:\n%s", got, want.Data, lastLines(log, 40))
	}
}

// run gives what the scenario's script wrote to standard output and to standard
// error. Both are files, so that a container that holds them keeps nobody waiting.
func (s scenario) run(t *testing.T, i *instance) (out, log string) {
	t.Helper()
	dir := filepath.Join(i.dir, "tmp", s.name)
	script := filepath.Join(dir, "script")
	prelude, err := filepath.Abs("testdata/prelude.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range s.archive.Files {
		writeBelow(t, dir, f.Name, f.Data)
	}
	files := [2]*os.File{}
	for n, name := range []string{"stdout", "stderr"} {
		if files[n], err = os.Create(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		defer files[n].Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), *limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", `. "$0"; . "$1"`, prelude, script)
	cmd.Dir = dir
	cmd.Env = append(i.env, "C="+s.name, "RUNTIME="+i.name)
	cmd.Stdout, cmd.Stderr = files[0], files[1]
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	if err := cmd.Run(); ctx.Err() != nil {
		t.Errorf("it took more than %v: %v", *limit, err)
	}
	return read(t, files[0].Name()), read(t, files[1].Name())
}

// writeBelow writes a file of a scenario.
func writeBelow(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// rewrite makes what a runtime of Debian's said the expectation.
func (s scenario) rewrite(t *testing.T, name, got string) {
	t.Helper()
	if want := s.section(name); name == "want" && s.engine == "docker" && want != nil && got != string(want.Data) {
		name = "want.docker"
	}
	if s.section(name) == nil {
		s.archive.Files = append(s.archive.Files, txtar.File{Name: name})
	}
	s.section(name).Data = []byte(got)
	if err := os.WriteFile(s.path, txtar.Format(s.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}
