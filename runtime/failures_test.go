package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// failing are calls that fail, a line each; $D is a directory with the files
// that newFailures makes. Between them is every command.
const failing = `
create
create -b $D/none box
create -b $D/broken box
create -b $D/wrong box
create -b $D/norootfs box
create -b $D/good ../box
create -b $D/good half
create -b $D/good --preserve-fds 9 box
create -b $D/good --console-socket $D/none box
create --config $D/none box
checkpoint none
checkpoint half
delete
delete none
delete half
delete --regex ( 
events none
exec
exec none true
exec half true
exec --process $D/none none
features x
gc x
gc -f xml
kill none
kill half
kill none NOSIG
list -f xml
mounts add none $D/none
mounts change none $D/none
pause none
pause half
plan -b $D/none box
plan -b $D/good --format xml box
ps none
ps -f xml none
resume none
restore
restore -b $D/none none
run
run -b $D/none box
run -b $D/wrong box
run -b $D/terminal -d box
run -b $D/good --console-socket $D/none box
spec -b $D/none
spec -b $D/good
start none
start half
state none
state half
update none
update --memory x none
update --resources $D/none none
nothing
help nothing
--log-format xml list
--log $D/none/log list
--root / list
--cgroup-manager x list
--rootless x list
`

// newFailures makes bundles and a half-made container.
func newFailures(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	good := `{"ociVersion": "1.0.0", "root": {"path": "rootfs"}, "process": {"args": ["true"], "cwd": "/"}, "linux": {"namespaces": [{"type": "mount"}]}}`
	for path, text := range map[string]string{
		"good/config.json":     good,
		"norootfs/config.json": good,
		"terminal/config.json": strings.Replace(good, `"args"`, `"terminal": true, "args"`, 1),
		"broken/config.json":   `{"ociVersion": 1`,
		"wrong/config.json":    strings.Replace(good, `"mount"`, `"moon"`, 1),
		"good/rootfs/x":        "", "terminal/rootfs/x": "", "state/half/x": "",
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestFailures compares the one line that each failure is with the golden
// file: it says what was being done, to what, and why.
func TestFailures(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "")
	dir := newFailures(t)
	var got strings.Builder
	var commandsSeen []string
	for call := range strings.SplitSeq(strings.TrimSpace(failing), "\n") {
		args := strings.Fields(strings.ReplaceAll(call, "$D", dir))
		commandsSeen = append(commandsSeen, args[0])
		p := newProgram("davit")
		if !strings.HasPrefix(args[0], "-") {
			args = append([]string{"--root", dir + "/state"}, args...)
		}
		err := p.execute(args)
		if err == nil {
			t.Errorf("%s: no failure", call)
			continue
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than a line: %q", call, err)
		}
		fmt.Fprintf(&got, "%s\n\t%s\n", call, strings.ReplaceAll(err.Error(), dir, "$D"))
	}
	for _, c := range commands() {
		if !slices.Contains(commandsSeen, c.name) {
			t.Errorf("no failure of %s is tested", c.name)
		}
	}
	const golden = "testdata/failures.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || string(want) != got.String() {
		t.Errorf("%v; got\n%s", err, got.String())
	}
}
