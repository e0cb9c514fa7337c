package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/davit-containers/davit/conformance/guard"
	"github.com/davit-containers/davit/conformance/needs"
)

// TestMain lets the scripts run this program as davit.
func TestMain(m *testing.M) {
	commands := map[string]func(){"davit": main, "runc": main}
	scripts := func() int {
		testscript.Main(m, commands)
		return 0 // it does not return
	}
	if commands[filepath.Base(os.Args[0])] != nil {
		scripts()
	}
	os.Exit(guard.Run(scripts))
}

// TestScripts runs the command line as its users do. The scripts that make
// containers need root, and skip with the reason.
func TestScripts(t *testing.T) { testscript.Run(t, scripts("testdata/script")) }

// scripts says how the scripts in a directory are run.
func scripts(dir string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"bundle":   makeBundle,
			"config":   setConfig,
			"listen":   listen,
			"received": received,
			"killed":   killed,
			"leave":    leave,
			"manage":   manage,
			"told":     managerTold,
			"ready":    tellReady,
		},
		Condition: condition,
		Setup: func(env *testscript.Env) error {
			env.Setenv("ROOT", filepath.Join(env.WorkDir, "state"))
			for i := range 3 {
				env.Setenv(fmt.Sprintf("ID%d", i+1), fmt.Sprintf("%s%s-%d", guard.Name(), filepath.Base(env.WorkDir), i+1))
			}
			env.Values[managerKey{}] = new(manager)
			env.Values[socketsKey{}] = map[string]*net.UnixListener{}
			env.Defer(func() { removeContainers(env.Getenv("ROOT")) })
			return nil
		},
	}
}

// removeContainers removes what a script that failed left.
func removeContainers(root string) {
	entries, _ := os.ReadDir(root)
	for _, e := range entries {
		_ = exec.Command("davit", "--root", root, "delete", "--force", e.Name()).Run()
	}
}

// condition knows what a script can ask for.
func condition(name string) (bool, error) {
	switch name {
	case "root":
		return os.Geteuid() == 0, nil
	case "busybox":
		if busybox() == "" && needs.Installed("busybox-static") {
			return false, errors.New("Debian's busybox-static is installed, and there is no static busybox")
		}
		return busybox() != "", nil
	case "pids":
		return hasPids(), nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// hasPids tells whether containers' processes can be counted.
func hasPids() bool {
	text, _ := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	_, err := os.Stat("/sys/fs/cgroup/pids/release_agent")
	return err == nil || slices.Contains(strings.Fields(string(text)), "pids")
}

// busybox is the path of a busybox that needs no libraries, "" without one.
func busybox() string {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return ""
	}
	out, err := exec.Command("ldd", path).CombinedOutput()
	if err == nil && !strings.Contains(string(out), "not a dynamic executable") {
		return ""
	}
	return path
}

// makeBundle makes a bundle: bundle DIR PROGRAM [ARGUMENT...]. Its root file
// system has busybox; the program has no terminal.
func makeBundle(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: bundle DIR PROGRAM [ARGUMENT...]")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Join(dir, "rootfs"), 0o755))
	ts.Check(installBusybox(filepath.Join(dir, "rootfs")))
	if os.Geteuid() == 0 {
		ts.Check(ts.Exec("davit", "spec", "--bundle", dir))
	} else {
		ts.Check(ts.Exec("davit", "spec", "--rootless", "--bundle", dir))
	}
	file := filepath.Join(dir, "config.json")
	argv, err := json.Marshal(args[1:])
	ts.Check(err)
	ts.Check(edit(file, "process.args", string(argv)))
	ts.Check(edit(file, "process.terminal", "false"))
	ts.Check(edit(file, "process.rlimits", "[]"))
}

// installBusybox puts the applets that the scripts use into a root file system.
func installBusybox(rootfs string) error {
	bin := filepath.Join(rootfs, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	data, err := os.ReadFile(busybox())
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(bin, "busybox"), data, 0o755); err != nil {
		return err
	}
	for _, applet := range strings.Fields("sh cat echo env false id kill ls printf readlink sleep stty test true") {
		if err := os.Symlink("busybox", filepath.Join(bin, applet)); err != nil {
			return err
		}
	}
	return nil
}

// leave runs davit so that the container which it leaves behind does not hold
// the script's pipes: leave ARGUMENT... All output goes to the file left.
func leave(ts *testscript.TestScript, neg bool, args []string) {
	out, err := os.Create(ts.MkAbs("left"))
	ts.Check(err)
	defer out.Close()
	cmd := exec.Command("davit", append([]string{"--root", ts.Getenv("ROOT")}, args...)...)
	cmd.Path, err = exec.LookPath("davit")
	ts.Check(err)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+ts.Getenv("NOTIFY_SOCKET"))
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	if err != nil || neg {
		ts.Fatalf("davit %v: %v: %s", args, err, ts.ReadFile("left"))
	}
}

// setConfig changes a value: config FILE PATH JSON, with a path such as
// process.env.0.
func setConfig(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: config FILE PATH JSON")
	}
	ts.Check(edit(ts.MkAbs(args[0]), args[1], args[2]))
}

// edit changes one value of a JSON file.
func edit(file, path, value string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var root, leaf any
	if err := json.Unmarshal(data, &root); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(value), &leaf); err != nil {
		return err
	}
	root, err = set(root, strings.Split(path, "."), leaf)
	if err != nil {
		return err
	}
	if data, err = json.MarshalIndent(root, "", "\t"); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

// set puts a leaf into a tree of JSON values; "-" appends to an array.
func set(node any, path []string, leaf any) (any, error) {
	if len(path) == 0 {
		return leaf, nil
	}
	switch n := node.(type) {
	case nil:
		return set(map[string]any{}, path, leaf)
	case map[string]any:
		child, err := set(n[path[0]], path[1:], leaf)
		n[path[0]] = child
		return n, err
	case []any:
		if path[0] == "-" {
			return append(n, leaf), nil
		}
		i, err := strconv.Atoi(path[0])
		if err != nil || i >= len(n) {
			return nil, fmt.Errorf("no element %s", path[0])
		}
		n[i], err = set(n[i], path[1:], leaf)
		return n, err
	}
	return nil, fmt.Errorf("%s is below a plain value", path[0])
}
