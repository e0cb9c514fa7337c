package engines

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/davit-containers/davit/conformance/guard"
	"github.com/davit-containers/davit/conformance/needs"
	"github.com/davit-containers/davit/conformance/programs"
)

// built is the folder of davit and its shim.
var built = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "engines"); err != nil {
		return "", err
	}
	for name, folder := range map[string]string{"davit": "runtime", "containerd-shim-davit-v2": "shim/containerd-shim-davit-v2"} {
		if _, err := programs.Build(dir, name, folder); err != nil {
			return dir, err
		}
	}
	return dir, nil
})

// TestMain runs the tests with a guard, which also removes the programs.
func TestMain(m *testing.M) { os.Exit(guard.Run(m.Run)) }

// machine skips a test that the machine lacks a program for, and gives the
// directory of davit's programs.
func machine(t *testing.T, names ...string) string {
	t.Helper()
	needs.Root(t, "an engine makes containers")
	for _, name := range append(names, "busybox") {
		needs.Program(t, name)
	}
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// engine is a command line, and maybe a daemon that it talks to.
type engine struct {
	t      *testing.T
	dir    string
	client []string
	env    []string
	daemon *exec.Cmd
	ready  string   // what the daemon says when it is
	argv   []string // the daemon's
}

// commandTime is more than any command takes.
const commandTime = 3 * time.Minute

// run runs a command of the engine's.
func (e *engine) run(args ...string) (output string, status int) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.client[0], append(e.client[1:len(e.client):len(e.client)], args...)...)
	cmd.Env = append(os.Environ(), e.env...)
	cmd.Dir, cmd.WaitDelay = e.dir, time.Second // conmon leaves a file where it is started
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		e.t.Fatalf("%v: %v: %s", args, err, out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// must runs a command that must end with a status, and print a text.
func (e *engine) must(status int, text string, args ...string) {
	e.t.Helper()
	out, got := e.run(args...)
	if got != status || !strings.Contains(out, text) {
		e.t.Errorf("%v ended with %d, want %d, and printed, without %q: %s", args, got, status, text, out)
	}
}

// serve starts the daemon, and waits until it says on its standard error that
// it is ready.
func (e *engine) serve(ready string, argv ...string) {
	e.t.Helper()
	e.ready, e.argv = ready, argv
	e.daemon = exec.Command(argv[0], argv[1:]...)
	e.daemon.Env = append(os.Environ(), e.env...)
	e.daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	said, err := e.daemon.StderrPipe()
	if err == nil {
		err = e.daemon.Start()
	}
	if err != nil {
		e.t.Fatal(err)
	}
	if text, found := readUntil(said, ready); !found {
		e.t.Fatalf("%s does not say %q: %s", argv[0], ready, text)
	}
	go io.Copy(io.Discard, said) // so that it never waits for a reader
}

// again starts the daemon once more.
func (e *engine) again() { e.serve(e.ready, e.argv...) }

// readUntil reads lines up to one that has a word in it, and gives all that it
// has read.
func readUntil(r io.Reader, word string) (text string, found bool) {
	var all strings.Builder
	for s := bufio.NewScanner(io.TeeReader(r, &all)); s.Scan(); {
		if strings.Contains(s.Text(), word) {
			return all.String(), true
		}
	}
	return all.String(), false
}

func (e *engine) stop() {
	e.daemon.Process.Signal(syscall.SIGTERM)
	e.daemon.Wait()
}

// layer is a file system of busybox alone, as an archive.
func layer(t *testing.T) []byte {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return archive(t, map[string][]byte{"bin/sh": program, "bin/sleep": program, "bin/tty": program})
}

func archive(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, data := range files {
		err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(data))})
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	return out.Bytes()
}

// image writes an image in docker's form, and gives its path.
func image(t *testing.T, name string) string {
	t.Helper()
	l := layer(t)
	config, err1 := json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux", "config": map[string]any{"Env": []string{"PATH=/bin"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(l))}},
	})
	manifest, err2 := json.Marshal([]any{map[string]any{"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"}}})
	path := filepath.Join(t.TempDir(), "image.tar")
	err3 := os.WriteFile(path, archive(t, map[string][]byte{"config.json": config, "manifest.json": manifest, "layer.tar": l}), 0o600)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return path
}
