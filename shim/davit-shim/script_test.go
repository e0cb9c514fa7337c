package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/davit-containers/davit/conformance/guard"
	"github.com/davit-containers/davit/conformance/isolate"
	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/shim/container"
	"github.com/davit-containers/davit/shim/events"
)

// TestMain lets the scripts run this program as davit-shim, where no network of the
// machine is.
func TestMain(m *testing.M) {
	scripts := func() int {
		testscript.Main(m, map[string]func(){"davit-shim": main})
		return 0 // it does not return
	}
	if filepath.Base(os.Args[0]) == "davit-shim" {
		scripts()
	}
	os.Exit(isolate.Run(scripts))
}

// TestScripts runs the command line as its users do. The scripts that mount or
// run need root, and skip with the reason.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"image":    makeImage,
			"registry": serveRegistry,
			"json":     jsonField,
			"lines":    countLines,
			"status":   wantStatus,
			"event":    awaitEvent,
			"as":       runAs,
		},
		Condition: condition,
		Setup: func(env *testscript.Env) error {
			env.Setenv("ROOT", filepath.Join(env.WorkDir, "store"))
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, "data"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("TZ", "UTC")
			for i := range 2 {
				env.Setenv(fmt.Sprintf("ID%d", i+1), fmt.Sprintf("%s%s-%d", guard.Name(), filepath.Base(env.WorkDir), i+1))
			}
			if davit, err := filepath.Abs("../../bin/davit"); err == nil {
				env.Setenv("DAVIT", davit)
			}
			env.Defer(func() {
				unmountBelow(env.WorkDir)
				removeRun(filepath.Join(env.WorkDir, "store"))
			})
			return nil
		},
	})
}

// condition knows what a script can ask for.
func condition(name string) (bool, error) {
	if user, ok := strings.CutPrefix(name, "user:"); ok {
		return exec.Command("id", user).Run() == nil, nil
	}
	switch name {
	case "systemd2":
		_, booted := os.Stat("/run/systemd/system")
		_, unified := os.Stat("/sys/fs/cgroup/cgroup.controllers")
		return booted == nil && unified == nil, nil
	case "cgroup2":
		_, err := os.Stat("/sys/fs/cgroup/cgroup.controllers")
		return err == nil, nil
	case "root":
		return os.Geteuid() == 0, nil
	case "davit":
		_, err := os.Stat("../../bin/davit")
		return err == nil, nil
	case "systemd":
		_, err := exec.LookPath("systemd-analyze")
		if err != nil && needs.Installed("systemd") {
			return false, errors.New("Debian's systemd is installed, and there is no systemd-analyze")
		}
		return err == nil, nil
	case "journald":
		_, err := os.Stat("/run/systemd/journal/socket")
		return err == nil, nil
	case "cni":
		_, err := os.Stat("/usr/lib/cni/bridge")
		if err != nil && needs.Installed("containernetworking-plugins") {
			return false, err
		}
		return err == nil, nil
	case "skopeo", "umoci", "slirp4netns", "iptables", "pasta", "tmux":
		_, err := exec.LookPath(name)
		if err != nil && needs.Installed(strings.Replace(name, "pasta", "passt", 1)) {
			return false, fmt.Errorf("Debian's %s is installed, and there is no %s", name, name)
		}
		return err == nil, nil
	case "busybox":
		if busybox() == "" && needs.Installed("busybox-static") {
			return false, errors.New("Debian's busybox-static is installed, and there is no static busybox")
		}
		return busybox() != "", nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
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

// unmountBelow takes away the mounts that a script which failed left.
func unmountBelow(dir string) {
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], dir+"/") {
			_ = exec.Command("umount", "-l", fields[1]).Run()
		}
	}
}

// removeRun removes what a store of containers has in /run.
func removeRun(root string) {
	if s, err := container.Open(root); err == nil {
		_ = os.RemoveAll(s.Run())
	}
}

// serveRegistry serves a registry on loopback until the script ends, and sets
// $REGISTRY to its host. With a name and a password it wants these.
func serveRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 && len(args) != 2 {
		ts.Fatalf("usage: registry [NAME PASSWORD]")
	}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); len(args) == 2 && (user != args[0] || password != args[1]) {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	ts.Defer(server.Close)
	ts.Setenv("REGISTRY", strings.TrimPrefix(server.URL, "http://"))
}

// countLines wants a file to have so many lines: lines FILE N.
func countLines(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: lines FILE N")
	}
	n := strings.Count(ts.ReadFile(args[0]), "\n")
	if (fmt.Sprint(n) == args[1]) == neg {
		ts.Fatalf("%s has %d lines", args[0], n)
	}
}

// wantStatus wants davit-shim to end with a status: status N ARGUMENT...
func wantStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N ARGUMENT...")
	}
	err := ts.Exec("davit-shim", append([]string{"--root", ts.Getenv("ROOT")}, args[1:]...)...)
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(status) != args[0] {
		ts.Fatalf("davit-shim %s ended with status %d", strings.Join(args[1:], " "), status)
	}
}

// awaitEvent waits until something has happened to a container: event NAME ACTION.
func awaitEvent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: event NAME ACTION")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	found := false
	_ = events.Follow(ctx, ts.Getenv("ROOT"), events.Query{Since: time.Unix(1, 0)}, func(e events.Event) error {
		if e.Name == args[0] && e.Action == args[1] {
			found = true
			cancel()
		}
		return nil
	})
	if !found {
		ts.Fatalf("there is no event %q of %s", args[1], args[0])
	}
}
