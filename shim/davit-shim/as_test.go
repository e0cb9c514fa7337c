package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// userID is the user that a test which is root becomes.
const userID = 12345

// shellOf is how `as` runs a file: in it, ds is davit-shim with a store of its own.
const shellOf = `ds() { timeout -s KILL 300 davit-shim --root "$ROOT" "$@" </dev/null; }; . "$0"`

// runAs runs a file of the script by the shell: as root FILE, as user FILE. It is in
// a directory of its own, beside which the script's files are. Without root it runs as
// whoever tests; with root, the user has no ids of others.
func runAs(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || args[0] != "root" && args[0] != "user" {
		ts.Fatalf("usage: as root|user FILE")
	}
	dir := ts.MkAbs("as-" + args[0])
	ts.Check(os.MkdirAll(filepath.Join(dir, "run"), 0o755))
	command := []string{"env", "HOME=" + dir, "ROOT=" + filepath.Join(dir, "store"), "XDG_DATA_HOME=" + filepath.Join(dir, "data"), "DOCKER_CONFIG=" + filepath.Join(dir, "docker")}
	if os.Geteuid() == 0 {
		ts.Check(letIn(ts))
	}
	if args[0] == "user" {
		command = append(command, "XDG_RUNTIME_DIR="+filepath.Join(dir, "run"))
		if os.Geteuid() == 0 {
			ts.Check(ts.Exec("chown", fmt.Sprintf("%[1]d:%[1]d", userID), dir, filepath.Join(dir, "run")))
			command = append([]string{"setpriv", fmt.Sprintf("--reuid=%d", userID), fmt.Sprintf("--regid=%d", userID), "--clear-groups"}, command...)
			command = append(command, "PATH="+ts.MkAbs("bin")+":"+ts.Getenv("PATH"))
		}
	}
	here := ts.MkAbs(".")
	ts.Check(ts.Chdir(dir))
	err := ts.Exec(command[0], append(command[1:], "sh", "-eu", "-c", shellOf, filepath.Join(here, args[1]))...)
	ts.Check(ts.Chdir(here))
	if (err != nil) != neg {
		ts.Fatalf("as %s: %v", strings.Join(args, " "), err)
	}
}

// letIn lets other users reach the script's files, and a copy of davit-shim.
func letIn(ts *testscript.TestScript) error {
	return ts.Exec("sh", "-euc", `
		chmod a+rx . .. && chmod a+rX *
		[ -e bin/davit-shim ] || { mkdir -p bin; cp "$(command -v davit-shim)" bin/; }`)
}
