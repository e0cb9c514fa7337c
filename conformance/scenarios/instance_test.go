package scenarios

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/conformance/needs"
)

// instance is an engine that runs for the tests, with one runtime.
type instance struct {
	name    string // the runtime's: davit, or its peer's
	runtime string // its program
	dir     string // what the engine keeps
	cgroup  string // what its containers' cgroups are below
	token   string // the first part of cgroup, no other's name
	env     []string
}

// newInstance prepares folders, a network namespace and a cgroup's name. The
// engine itself is begin's business; it is ended, and what it left is looked for,
// after the test.
func newInstance(t *testing.T, engine, name, runtime string) *instance {
	t.Helper()
	base := os.Getenv("DAVIT_ENGINES_DIR")
	i := &instance{name: name, runtime: runtime, dir: filepath.Join(base, engine+"-"+name), token: filepath.Base(base)}
	i.cgroup = "/" + i.token + "/" + filepath.Base(i.dir)
	for _, folder := range []string{"bin", "tmp", "home"} {
		if err := os.MkdirAll(filepath.Join(i.dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	i.env = []string{
		"PATH=" + filepath.Join(i.dir, "bin") + ":" + os.Getenv("PATH"), "HOME=" + filepath.Join(i.dir, "home"),
		"TMPDIR=" + filepath.Join(i.dir, "tmp"), "LC_ALL=C.UTF-8", "RUNTIME=" + name,
		"ENGINE=" + engine, "CGROUP=" + i.cgroup, "DIR=" + i.dir, "ENGINE_RUNTIME=" + runtime,
	}
	i.write(t, "net", "", 0o644)
	run(t, nil, "unshare", "--net="+i.path("net"), "ip", "link", "set", "lo", "up")
	t.Cleanup(func() { _ = unix.Unmount(i.path("net"), unix.MNT_DETACH) })
	return i
}

func (i *instance) path(elem ...string) string {
	return filepath.Join(append([]string{i.dir}, elem...)...)
}

// write writes a file below the instance's folder.
func (i *instance) write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := i.path(name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// command makes a program for scenarios, which runs what is given in the
// instance's network.
func (i *instance) command(t *testing.T, name string, argv ...string) {
	t.Helper()
	line := append([]string{"exec", "nsenter", "--net=" + i.path("net")}, argv...)
	i.write(t, "bin/"+name, "#!/bin/sh\n"+strings.Join(line, " ")+" \"$@\"\n", 0o755)
}

// daemon starts a program in the instance's network and returns when it says that
// it is ready. It is ended after the test.
func (i *instance) daemon(t *testing.T, argv ...string) {
	t.Helper()
	socket := i.path("notify")
	ready, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	log, err := os.Create(i.path("log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("nsenter", append([]string{"--net=" + i.path("net")}, argv...)...)
	cmd.Env = append(i.env, "NOTIFY_SOCKET="+socket)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.stop(t, cmd) })
	ready.SetReadDeadline(time.Now().Add(time.Minute))
	message := make([]byte, 4096)
	for {
		n, err := ready.Read(message)
		if err != nil {
			t.Fatalf("waiting for %s: %v", argv[0], err)
		}
		if strings.Contains(string(message[:n]), "READY=1") {
			return
		}
	}
}

// removeContainers removes what scenarios left, which is a fault of theirs, or of
// an engine that could not remove it.
func (i *instance) removeContainers(t *testing.T) {
	left := run(t, i.env, "sh", "-c", "engine ps --all --format '{{.Names}} {{.Status}}'")
	if left != "" {
		t.Errorf("containers are left with %s:\n%s", i.name, left)
	}
	run(t, i.env, "sh", "-c", "engine ps --all --quiet | xargs -r engine rm --force")
}

// stop ends a daemon, and shows its log where the test failed.
func (i *instance) stop(t *testing.T, cmd *exec.Cmd) {
	late := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	cmd.Process.Signal(unix.SIGTERM)
	err := cmd.Wait()
	if !late.Stop() {
		t.Errorf("%s did not end within a minute: %v", cmd.Args[2], err)
	}
	if log, _ := os.ReadFile(i.path("log")); t.Failed() {
		t.Logf("log of %s with %s:\n%s", cmd.Args[2], i.name, lastLines(string(log), 60))
	}
}

// lastLines are the last n lines of a text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// run runs a program that must succeed, and gives what it wrote to standard output.
func run(t *testing.T, env []string, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(argv, " "), err, errors.String())
	}
	return string(out)
}

// pair are two instances of an engine: with the judged runtime, and with a
// runtime of Debian's.
func pair(t *testing.T, engine, peer string, begin func(t *testing.T, i *instance)) []*instance {
	t.Helper()
	needs.Root(t, "an engine is started, with namespaces and cgroups of its own")
	var both []*instance
	t.Cleanup(func() { lookForResidue(t, both) })
	programs := map[string]string{"davit": os.Getenv("DAVIT_ENGINES_RUNTIME"), peer: needs.Program(t, peer)}
	for _, name := range []string{peer, "davit"} {
		i := newInstance(t, engine, name, programs[name])
		both = append(both, i)
		begin(t, i)
	}
	return both
}

// String names the instance in messages.
func (i *instance) String() string { return fmt.Sprintf("%s (%s)", i.name, i.runtime) }
