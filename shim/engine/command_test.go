package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// runtimeOf is a runtime that is a shell script. Its log's name is in $4.
func runtimeOf(t *testing.T, script string) *command {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "runtime")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return newCommand(&Options{Binary: path, Root: filepath.Join(dir, "root")}, dir, "test")
}

// A runtime that says much takes no memory for it, and the end of what it says is
// the error.
func TestRuntimeThatSaysMuch(t *testing.T) {
	const much = "head -c 50000000 /dev/zero | tr '\\0' x"
	for _, c := range []struct{ name, script, want string }{
		{"error output", much + ` >&2; echo " the reason" >&2; exit 1`, "the reason: exit status 1"},
		{"log", much + ` >"$4"; printf '\n{"level":"error","msg":"first"}\n{"level":"error","msg":"the reason"}\n{"level":"info","msg":"last"}\n' >>"$4"; exit 1`, "the reason"},
		{"one line in the log", much + ` >"$4"; exit 1`, "runtime start: exit status 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := runtimeOf(t, c.script).start("one")
			if err == nil || !strings.HasSuffix(err.Error(), c.want) || len(err.Error()) > maxMessages+len(c.want) {
				t.Errorf("the error has %d bytes, and not %q for its end", len(err.Error()), c.want)
			}
		})
	}
}

// An answer without an end is refused.
func TestRuntimeThatAnswersMuch(t *testing.T) {
	_, err := runtimeOf(t, "exec yes").cgroup("one")
	if err == nil || !strings.Contains(err.Error(), "it answers with more than") {
		t.Errorf("got %v", err)
	}
}

// A process that has a runtime's streams holds up nobody.
func TestRuntimeWhoseChildStays(t *testing.T) {
	c := runtimeOf(t, `sleep 1000 & echo $! >"${0%/*}/pid"`)
	t.Cleanup(func() {
		if b, err := bornOf(filepath.Join(c.bundle, "pid")); err == nil && b.pidfd != nil {
			unix.PidfdSendSignal(int(b.pidfd.Fd()), unix.SIGKILL, nil, 0)
			b.pidfd.Close()
		}
	})
	begin := time.Now()
	if err := c.start("one"); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 100*outputGrace {
		t.Errorf("it took %v", took)
	}
	if left, err := filepath.Glob(filepath.Join(c.bundle, "log-*")); len(left) > 0 || err != nil {
		t.Errorf("logs are left: %v, %v", left, err)
	}
}

// A pid file is read only where it is a file, and to its bound.
func TestHostilePidFile(t *testing.T) {
	dir := t.TempDir()
	fifo, link, large := filepath.Join(dir, "fifo"), filepath.Join(dir, "link"), filepath.Join(dir, "large")
	err := errors.Join(unix.Mkfifo(fifo, 0o600), os.Symlink("/proc/self/stat", link), os.WriteFile(large, make([]byte, 1<<20), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, link, large} {
		if _, err := bornOf(path); err == nil {
			t.Errorf("%s was read", filepath.Base(path))
		}
	}
}
