package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/davit-containers/davit/conformance/guard"
	"github.com/davit-containers/davit/conformance/needs"
)

// failingWith are calls that fail with a container, a line each; created,
// running, paused and stopped are the ids of containers that are so, new is that of
// none. $D has the files that newContainers makes.
const failingWith = `
create -b $D/plain created
create -b $D/plain running
create -b $D/absent new
create -b $D/notexecutable new
create -b $D/nofs new
create -b $D/nosource new
create -b $D/filecwd new
create -b $D/hook new
run -b $D/nointerpreter new
run -b $D/absent new
checkpoint stopped
delete running
delete paused
events stopped
exec stopped true
exec paused true
exec running absent
exec running /file
exec running /nointerpreter
exec --cwd /none running true
exec --cwd /file running true
exec --user daemon running true
exec --process $D/mounts.json running
kill stopped
kill running NONE
mounts add stopped $D/mounts.json
mounts add running $D/mounts.json
mounts remove running $D/mounts.json
mounts add running $D/plain/config.json
pause stopped
pause paused
ps running -o comm
resume running
resume stopped
start running
start stopped
start paused
update --memory 64m stopped
`

// containers are those of a test of failures.
type containers struct {
	*testing.T
	dir string
}

// id is the container's id on this machine.
func (c *containers) id(name string) string {
	return guard.Name() + "failures-" + name
}

var containerNames = []string{"created", "running", "paused", "stopped", "new"}

// davit calls davit, and gives what it says on standard error.
func (c *containers) davit(args ...string) (string, error) {
	c.Helper()
	args = append([]string{"--root", c.dir + "/state", "--log", c.dir + "/log"}, args...)
	cmd := exec.Command("davit", args...)
	said, err := os.CreateTemp(c.dir, "said")
	if err != nil {
		c.Fatal(err)
	}
	defer said.Close()
	cmd.Stderr = said // a file: a container that stays would hold a pipe
	failed := cmd.Run()
	text, err := os.ReadFile(said.Name())
	if err != nil {
		c.Fatal(err)
	}
	return string(bytes.TrimSuffix(text, []byte("\n"))), failed
}

func (c *containers) must(args ...string) {
	c.Helper()
	if said, err := c.davit(args...); err != nil {
		c.Fatalf("%v: %v: %s", args, err, said)
	}
}

// write writes a file below the directory.
func (c *containers) write(path, text string, mode os.FileMode) {
	c.Helper()
	path = filepath.Join(c.dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		c.Fatal(err)
	}
}

// bundle makes one that shares the root file system, with a change to its
// configuration.
func (c *containers) bundle(name string, args []string, change func(config map[string]any)) {
	c.Helper()
	c.must("spec", "-b", c.mkdir(name))
	path := filepath.Join(c.dir, name, "config.json")
	data, err := os.ReadFile(path)
	if err != nil {
		c.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(data, &config); err != nil {
		c.Fatal(err)
	}
	process := config["process"].(map[string]any)
	process["args"], process["terminal"] = args, false
	config["root"].(map[string]any)["path"] = c.dir + "/rootfs"
	if change != nil {
		change(config)
	}
	if data, err = json.Marshal(config); err != nil {
		c.Fatal(err)
	}
	c.write(name+"/config.json", string(data), 0o644)
}

func (c *containers) mkdir(name string) string {
	c.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		c.Fatal(err)
	}
	return path
}

// mounting adds a mount to a configuration.
func mounting(kind, source string) func(map[string]any) {
	return func(config map[string]any) {
		config["mounts"] = append(config["mounts"].([]any), map[string]any{"type": kind, "source": source, "destination": "/mnt"})
	}
}

// newContainers makes the bundles and the containers.
func newContainers(t *testing.T) *containers {
	c := &containers{t, t.TempDir()}
	busybox, err := os.ReadFile(busybox())
	if err != nil {
		t.Fatal(err)
	}
	c.write("rootfs/bin/sleep", string(busybox), 0o755)
	c.write("rootfs/bin/true", string(busybox), 0o755)
	c.write("rootfs/file", "text", 0o644)
	c.write("rootfs/nointerpreter", "#!/none\n", 0o755)
	c.write("mounts.json", `[{"type": "bind", "source": "/nonexistent", "destination": "/mnt", "options": ["bind"]}]`, 0o644)
	c.mkdir("rootfs/mnt")
	sleep := []string{"sleep", "1000"}
	c.bundle("plain", sleep, nil)
	c.bundle("short", []string{"true"}, nil)
	c.bundle("absent", []string{"absent"}, nil)
	c.bundle("notexecutable", []string{"/file"}, nil)
	c.bundle("nointerpreter", []string{"/nointerpreter"}, nil)
	c.bundle("nofs", sleep, mounting("nonexistentfs", "x"))
	c.bundle("nosource", sleep, mounting("bind", "/nonexistent"))
	c.bundle("filecwd", sleep, func(config map[string]any) { config["process"].(map[string]any)["cwd"] = "/file" })
	c.bundle("hook", sleep, func(config map[string]any) {
		config["hooks"] = map[string]any{"createRuntime": []any{map[string]any{"path": "/bin/sh", "args": []string{"sh", "-c", "echo why >&2; exit 3"}}}}
	})
	t.Cleanup(func() {
		for _, name := range containerNames {
			c.must("delete", "--force", c.id(name))
		}
	})
	c.must("create", "-b", c.dir+"/plain", c.id("created"))
	c.must("run", "-d", "-b", c.dir+"/plain", c.id("running"))
	c.must("run", "-d", "-b", c.dir+"/plain", c.id("paused"))
	c.must("pause", c.id("paused"))
	c.must("run", "--keep", "-b", c.dir+"/short", c.id("stopped"))
	return c
}

// TestFailuresWithContainers compares the line that each failure is with the
// golden file, where there is a container, or nearly.
func TestFailuresWithContainers(t *testing.T) {
	needs.Root(t, "it makes containers without a user namespace")
	needs.File(t, "/bin/busybox", "busybox-static")
	c := newContainers(t)
	var got strings.Builder
	for call := range strings.SplitSeq(strings.TrimSpace(failingWith), "\n") {
		args := strings.Fields(strings.ReplaceAll(call, "$D", c.dir))
		for i := range args {
			if slices.Contains(containerNames, args[i]) {
				args[i] = c.id(args[i])
			}
		}
		said, err := c.davit(args...)
		if err == nil {
			t.Errorf("%s: no failure", call)
			continue
		}
		if strings.Contains(said, "\n") {
			t.Errorf("%s: more than a line: %q", call, said)
		}
		said = strings.ReplaceAll(said, c.dir, "$D")
		for _, name := range containerNames {
			said = strings.ReplaceAll(said, c.id(name), name)
		}
		fmt.Fprintf(&got, "%s\n\t%s\n\t%v\n", call, said, err)
	}
	const golden = "testdata/containerfailures.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || string(want) != got.String() {
		t.Errorf("%v; got\n%s", err, got.String())
	}
}
